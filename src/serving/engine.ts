/**
 * What answers with a model: the one interface of `dataengine ask`, of the server, and of the serving gate.
 *
 * An engine loads one model, and any number of PEFT adapters over it, in a child process of its own, so that the event loop of
 * whoever asks stays free. Requests that run at the same time are decoded together; the text of each is what it would be alone.
 */

/** A turn of a conversation; images are the bytes of their files (PNG, JPEG, …). */
export interface ChatTurn {
  role: 'system' | 'user' | 'assistant';
  content: ({ type: 'text'; text: string } | { type: 'image'; image: Uint8Array })[];
}

/** A conversation whose last turn is the user's, and how its answer is written. */
export interface GenerationRequest {
  /** The base model's name, or an adapter's: one of `Engine.models`. */
  model: string;
  turns: ChatTurn[];
  /** The longest answer, in tokens; at least 1. */
  maxTokens: number;
  /** 0 is greedy; 1 keeps the probabilities of the model. */
  temperature: number;
  /** Tokens are drawn from the likeliest that together have this probability; 1 is all of them. */
  topP: number;
  /** Texts that end the answer, besides the end of the model's own turn. They are no part of it. */
  stop: string[];
  /** The same request with the same seed has the same answer, whatever else is decoded beside it. */
  seed: number;
  /** Log-probabilities, and of how many alternatives; undefined: none. They are the model's, before temperature and `topP`. */
  topLogprobs?: number;
}

export interface Alternative {
  id: number;
  text: string;
  logprob: number;
}

/** A token as soon as its text is known to belong to the answer: that of one that may start a stop text waits. */
export interface GeneratedToken {
  id: number;
  /**
   * What the token adds to the text: all of them joined are the answer. Empty where bytes of a character, or what may become a
   * stop text, are not complete; the token that completes them has the whole.
   */
  text: string;
  /** Present where `topLogprobs` is. */
  logprob?: number;
  /** The likeliest tokens at this place, likeliest first. */
  top?: Alternative[];
}

export interface GenerationEnd {
  /** `stop`: the model ended its turn, or wrote a stop text. */
  finish: 'stop' | 'length';
  /** Those of images are among them. */
  promptTokens: number;
  /** All that were computed, an end token and a stop text's among them. */
  completionTokens: number;
}

/** A conversation to score: its last turn may be the assistant's, whose end mark is then scored with it. */
export interface PromptRequest {
  model: string;
  turns: ChatTurn[];
  /** Whether the assistant's last turn stays open: no end mark follows it. */
  openEnd?: boolean;
}

/** By token of the prompt, begin token first; an image has as many as it has embeddings. */
export interface PromptLogprobs {
  ids: number[];
  /** The text of each token alone. */
  tokens: string[];
  /** Of each token after those before it; null for the first, and for tokens of an image. */
  logprobs: (number | null)[];
}

export interface Engine {
  /** The base model's name, then the adapters'. */
  readonly models: readonly string[];
  /** Whether its process has ended, or is to end: nothing will be answered any more. Left out by one without a process. */
  readonly hasEnded?: boolean;
  /**
   * Answers one request. Ending the loop early, or aborting the signal, cancels it.
   *
   * @throws InputError for a model that is not served, turns or an image that the model can't have, or a prompt too long
   * @throws Error when the engine's process has ended, or the signal's reason
   */
  generate(request: GenerationRequest, signal?: AbortSignal): AsyncGenerator<GeneratedToken, GenerationEnd>;
  /** @throws as `generate` */
  promptLogprobs(request: PromptRequest, signal?: AbortSignal): Promise<PromptLogprobs>;
  /** Ends the process. What is being answered fails. */
  close(): Promise<void>;
}
