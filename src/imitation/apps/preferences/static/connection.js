// Requests to the server that outlive its restarts.

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const MAX_PAUSE = 4000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function attempt(path, body) {
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const response = await fetch(path, { ...options, signal: AbortSignal.timeout(15000) });
  if (response.ok) return response;
  const text = await response.text();
  let message = text.trim();
  try {
    message = JSON.parse(text).error ?? message;
  } catch { /* it was no JSON */ }
  throw new Refused(response.status, message);
}

// Tries until the server answers; `onTrouble(true)` while it does not. What the server
// refuses is thrown. Every request may be repeated: the server knows an answer by its key
// and a verdict by its number.
async function untilAnswered(path, body, onTrouble) {
  for (let wait = 250; ; wait = Math.min(2 * wait, MAX_PAUSE)) {
    try {
      const response = await attempt(path, body);
      onTrouble(false);
      return response;
    } catch (error) {
      if (error instanceof Refused && error.status < 500) {
        onTrouble(false);
        throw error;
      }
      onTrouble(true);
      await pause(wait);
    }
  }
}

export function connect(onTrouble) {
  return {
    get: async (path) => (await untilAnswered(path, undefined, onTrouble)).json(),
    post: async (path, body) => (await untilAnswered(path, body, onTrouble)).json(),
    clip: async (path) => (await untilAnswered(path, undefined, onTrouble)).blob(),
  };
}

// Unique also where pages have no crypto.randomUUID: on http from another machine.
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
