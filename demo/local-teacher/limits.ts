/** The limits of a key. */
export interface TeacherLimits {
  requestsPerMinute?: number | undefined;
  tokensPerMinute?: number | undefined;
  /** The limits hold for every window of this length, with its share of a minute's. */
  windowSeconds?: number | undefined;
}

/** How the limits were used. */
export interface LimitCounts {
  /** Requests that exceeded a limit, and got 429. */
  violations: number;
  /** The highest use in a window, as a share of the limit; 0 without limits. */
  highestUse: number;
}

/** Admits requests within the limits, as OpenAI's servers do: by count, and by prompt plus the longest answer. */
export interface LimitKeeper {
  /** Headers to send, and whether the request is within the limits. */
  admit(tokens: number): { admitted: boolean; headers: Record<string, string> };
  counts(): LimitCounts;
}

/** Keeps limits over a sliding window: each received request counts, whether or not it is answered. */
export function keepLimits(limits: TeacherLimits, now: () => number = Date.now): LimitKeeper {
  const windowSeconds = limits.windowSeconds ?? 60;
  const share = windowSeconds / 60;
  const requestLimit = (limits.requestsPerMinute ?? Number.POSITIVE_INFINITY) * share;
  const tokenLimit = (limits.tokensPerMinute ?? Number.POSITIVE_INFINITY) * share;
  const arrivals: { at: number; tokens: number }[] = [];
  let oldest = 0;
  let tokensInWindow = 0;
  const counts: LimitCounts = { violations: 0, highestUse: 0 };

  const forgetOld = (at: number) => {
    for (; oldest < arrivals.length; oldest += 1) {
      const arrival = arrivals[oldest] as (typeof arrivals)[number];
      if (arrival.at > at - windowSeconds * 1000) break;
      tokensInWindow -= arrival.tokens;
    }
    if (oldest > 10_000) arrivals.splice(0, oldest);
    if (oldest > 10_000) oldest = 0;
  };

  return {
    admit(tokens) {
      const at = now();
      forgetOld(at);
      const requests = arrivals.length - oldest + 1;
      const all = tokensInWindow + tokens;
      const admitted = requests <= requestLimit && all <= tokenLimit;
      if (admitted) {
        arrivals.push({ at, tokens });
        tokensInWindow = all;
        counts.highestUse = Math.max(counts.highestUse, requests / requestLimit, all / tokenLimit);
      } else counts.violations += 1;
      const until = ((arrivals[oldest]?.at ?? at) + windowSeconds * 1000 - at) / 1000;
      const headers: Record<string, string> = admitted ? {} : { 'retry-after': String(Math.ceil(until)) };
      const addHeaders = (name: string, limit: number, used: number) => {
        if (!Number.isFinite(limit)) return;
        headers[`x-ratelimit-limit-${name}`] = String(Math.round(limit / share));
        headers[`x-ratelimit-remaining-${name}`] = String(Math.max(0, Math.floor(limit - used)));
        headers[`x-ratelimit-reset-${name}`] = `${until.toFixed(3)}s`;
      };
      addHeaders('requests', requestLimit, arrivals.length - oldest);
      addHeaders('tokens', tokenLimit, tokensInWindow);
      return { admitted, headers };
    },
    counts: () => ({ ...counts }),
  };
}
