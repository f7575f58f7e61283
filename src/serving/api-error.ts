/** Refusals and failures in the form that OpenAI's API has for them. */

interface ApiErrorFields {
  /** HTTP's. */
  status: number;
  message: string;
  /** The field of the request, such as `messages[0].content[1].image_url.url`. */
  param?: string | undefined;
  code?: string | undefined;
  /** After how many seconds it makes sense to ask again. */
  retryAfter?: number | undefined;
}

/** An answer other than 200. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly retryAfter: number | undefined;
  readonly #param: string | undefined;
  readonly #code: string | undefined;

  constructor({ status, message, param, code, retryAfter }: ApiErrorFields) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
    this.#param = param;
    this.#code = code;
  }

  /** What the response has, and an event of a stream that fails. */
  get body() {
    const type =
      this.status === 429 ? 'rate_limit_error' : this.status < 500 ? 'invalid_request_error' : 'server_error';
    return { error: { message: this.message, type, param: this.#param ?? null, code: this.#code ?? null } };
  }
}
