// native/embeddings: reads answers of embedding and rerank APIs into what must survive a translation: the vectors in
// order, the ranking. Written from the providers' documentation; knows nothing of Moongate.

// A vector: numbers, or base64 of little-endian float32.
function vector(value) {
  if (typeof value !== "string") return value;
  const bytes = Buffer.from(value, "base64");
  return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4));
}

// The vectors of a whole answer, or null when the protocol has none.
export function vectorsOf(protocol, body) {
  switch (protocol) {
    case "openai.embeddings":
      return [...body.data].sort((a, b) => a.index - b.index).map((d) => vector(d.embedding));
    case "gemini.batchEmbedContents":
      return body.embeddings.map((e) => e.values);
    case "gemini.embedContent":
      return [body.embedding?.values ?? body.embeddings[0].values];
    case "cohere.v1.embed":
    case "cohere.v2.embed":
      return body.embeddings.float ?? body.embeddings;
    case "vertex.predict":
      return body.predictions.map((p) => p.embeddings.values);
  }
  return null;
}

// [{ index, score }], best first, or null.
export function rankingOf(protocol, body) {
  if (!/rerank$/.test(protocol)) return null;
  return (body.results ?? body.data).map((r) => ({ index: r.index, score: r.relevance_score }));
}
