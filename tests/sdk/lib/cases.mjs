// cases: what the cases of all SDKs share: small things to send, and what the providers' dialects can do.

export const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
export const pdf = Buffer.from(
  "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>" +
    "endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
).toString("base64");

export const weather = {
  type: "object",
  properties: { city: { type: "string", description: "a city" } },
  required: ["city"],
  additionalProperties: false,
};
export const nothing = { type: "object", properties: {}, additionalProperties: false };

// Dialects whose providers take no PDF: the gateway says so.
export const takesNoPdf = ["cohere.chat"];
// Dialects that sign what the model thought, so that it can be given back.
export const signs = ["openai.responses", "anthropic.messages", "gemini", "bedrock.converse"];

// Dialects whose providers embed.
export const embeds = ["openai.chat", "openai.responses", "gemini", "cohere.chat", "bedrock.converse"];

export const steer = (words) => `Go on. [[simulate ${words}]]`;
// In the result of a tool: what was steered before is over, the model tells what the tools said.
export const settled = "[[simulate echo=0]]";
