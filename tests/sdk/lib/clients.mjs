// clients: the official SDK of each dialect, asking the gateway; only base URL and key differ from their defaults, but
// for the AWS SDK, which speaks HTTP/2 to Bedrock unless it is given its own handler for HTTP/1.1.
import Anthropic from "@anthropic-ai/sdk";
import * as aws from "@aws-sdk/client-bedrock-runtime";
import { ApiError, GoogleGenAI } from "@google/genai";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { CohereClientV2, CohereError, Cohere } from "cohere-ai";
import { createHmac } from "node:crypto";
import http from "node:http";
import OpenAI from "openai";
import * as bedrock from "./native/bedrock_converse.mjs";
import * as cohere from "./native/cohere_chat.mjs";
import * as gemini from "./native/gemini.mjs";
import * as anthropicMessages from "./native/anthropic_messages.mjs";
import * as chat from "./native/openai_chat.mjs";
import * as responses from "./native/openai_responses.mjs";
import { smallest } from "./wire.mjs";

process.env.AWS_REGION ??= "us-east-1";

// One client of each SDK. key: of the gateway; retries: as their defaults would, or none.
export function connect(url, key, { retries = 0 } = {}) {
  return {
    openai: new OpenAI({ apiKey: key, baseURL: `${url}/v1`, maxRetries: retries, timeout: 20000 }),
    anthropic: new Anthropic({ apiKey: key, baseURL: url, maxRetries: retries, timeout: 20000 }),
    gemini: new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: url, timeout: 20000 } }),
    cohere: new CohereClientV2({ token: key, baseUrl: url, maxRetries: retries, timeoutInSeconds: 20 }),
    bedrock: new aws.BedrockRuntimeClient({
      endpoint: url,
      token: { token: key },
      maxAttempts: retries + 1,
      authSchemePreference: ["httpBearerAuth"],
      requestHandler: handler(),
    }),
  };
}

// The pair of AWS credentials that anybody who holds a virtual key can work out.
export function awsPair(key) {
  const digest = (what) => createHmac("sha256", key).update(what).digest();
  const bits = [...digest("moongate aws access key id").subarray(0, 10)]
    .map((b) => b.toString(2).padStart(8, "0"))
    .join("");
  const id = bits
    .match(/.{5}/g)
    .map((five) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[parseInt(five, 2)])
    .join("");
  return {
    accessKeyId: `MGAK${id}`,
    secretAccessKey: digest("moongate aws secret access key").toString("base64").slice(0, 40),
  };
}

export function handler() {
  return new NodeHttpHandler({ requestTimeout: 20000, httpAgent: new http.Agent({ keepAlive: true, maxSockets: 16 }) });
}

async function all(stream) {
  const list = [];
  for await (const item of stream) list.push(item);
  return list;
}

// The answers that each SDK gives, as what they mean.
const asks = {
  async "openai.chat"(c, body) {
    if (!body.stream) return chat.whole(await c.openai.chat.completions.create(body));
    const { stream, ...rest } = body,
      events = c.openai.chat.completions.stream(rest);
    let thinking = ""; // the SDK hands on what it does not know, but does not gather it
    events.on("chunk", (chunk) => {
      thinking += chat.thinkingOf(chunk.choices[0]?.delta ?? {});
    });
    return { ...chat.whole(await events.finalChatCompletion()), thinking };
  },
  async "openai.responses"(c, body) {
    if (!body.stream) return responses.whole(await c.openai.responses.create(body));
    const { stream, ...rest } = body;
    const answer = await c.openai.responses.stream(rest).finalResponse();
    if (!["completed", "incomplete"].includes(answer.status)) {
      throw new OpenAI.APIError(undefined, answer.error, answer.error?.message ?? answer.status, undefined);
    }
    return responses.whole(answer);
  },
  async "anthropic.messages"(c, body) {
    if (!body.stream) return anthropicMessages.whole(await c.anthropic.messages.create(body));
    const { stream, ...rest } = body,
      events = c.anthropic.messages.stream(rest);
    let details; // of the usage: likewise
    events.on("streamEvent", (e) => {
      details = e.usage?.output_tokens_details ?? details;
    });
    const message = await events.finalMessage();
    return anthropicMessages.whole({ ...message, usage: { ...message.usage, output_tokens_details: details } });
  },
  async gemini(c, { contents }, model, streamed) {
    if (!streamed) return gemini.whole(await c.gemini.models.generateContent({ model, contents }));
    return gemini.ofChunks(await all(await c.gemini.models.generateContentStream({ model, contents })));
  },
  async "cohere.chat"(c, { stream, ...body }) {
    if (!stream) return cohere.whole(camelToSnake(await c.cohere.chat(body)));
    const out = cohere.ofEvents(camelToSnake(await all(await c.cohere.chatStream(body))));
    if (out.error) throw new CohereError({ message: out.error.message || "the stream ends with ERROR" });
    if (!out.finish) throw new CohereError({ message: "the stream has no end" });
    return out;
  },
  async "bedrock.converse"(c, body, modelId, streamed) {
    if (!streamed) return bedrock.whole(await c.bedrock.send(new aws.ConverseCommand({ modelId, ...body })));
    const answer = await c.bedrock.send(new aws.ConverseStreamCommand({ modelId, ...body }));
    return bedrock.ofEvents((await all(answer.stream)).flatMap((e) => Object.entries(e)));
  },
};

// Cohere's SDK renames what it reads; arguments of tools are strings and stay as they are.
function camelToSnake(value) {
  if (Array.isArray(value)) return value.map(camelToSnake);
  if (!value || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([k, v]) => [k.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`), camelToSnake(v)]),
  );
}

// The smallest request of the dialect, by its SDK: what the answer means.
export function ask(clients, dialect, model, streamed) {
  return asks[dialect](clients, smallest(dialect, model, streamed), model, streamed);
}

const openaiErrors = {
  400: OpenAI.BadRequestError,
  401: OpenAI.AuthenticationError,
  403: OpenAI.PermissionDeniedError,
  404: OpenAI.NotFoundError,
  422: OpenAI.UnprocessableEntityError,
  429: OpenAI.RateLimitError,
};
const anthropicErrors = {
  400: Anthropic.BadRequestError,
  401: Anthropic.AuthenticationError,
  403: Anthropic.PermissionDeniedError,
  404: Anthropic.NotFoundError,
  422: Anthropic.UnprocessableEntityError,
  429: Anthropic.RateLimitError,
};
const cohereErrors = {
  400: Cohere.BadRequestError,
  401: Cohere.UnauthorizedError,
  403: Cohere.ForbiddenError,
  404: Cohere.NotFoundError,
  422: Cohere.UnprocessableEntityError,
  429: Cohere.TooManyRequestsError,
  500: Cohere.InternalServerError,
  501: Cohere.NotImplementedError,
  503: Cohere.ServiceUnavailableError,
};
const bedrockErrors = {
  400: aws.ValidationException,
  403: aws.AccessDeniedException,
  404: aws.ResourceNotFoundException,
  429: aws.ThrottlingException,
  500: aws.InternalServerException,
  503: aws.ServiceUnavailableException,
};

// The class that an SDK raises for a status, and for an error after a stream has begun (status 200).
export function errorClass(dialect, status) {
  const server = status >= 500;
  switch (dialect) {
    case "openai.chat":
    case "openai.responses":
      return openaiErrors[status] ?? (server ? OpenAI.InternalServerError : OpenAI.APIError);
    case "anthropic.messages":
      return anthropicErrors[status] ?? (server ? Anthropic.InternalServerError : Anthropic.APIError);
    case "gemini":
      return ApiError;
    case "cohere.chat":
      return cohereErrors[status] ?? CohereError;
    case "bedrock.converse":
      return bedrockErrors[status] ?? aws.BedrockRuntimeServiceException;
  }
}
