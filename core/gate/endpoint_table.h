/* endpoint_table: every endpoint that clients may use. Included with
 *   FIXED(operation, dialect, header, method, path, place, shape, provider)   one path
 *   NAMED(operation, dialect, before, after, streams, framing, shape, provider)   POST, the model's name in the path
 *   BELOW(operation, dialect, header, before, provider)   any method, and whatever follows `before`
 *   NAMED_MODEL(dialect, header, before)   one model of the list
 * defined. The first row that fits is taken: what is used most stands first. header: only requests that have it. */
FIXED(CHAT, OPENAI_CHAT, "", "POST", "/v1/chat/completions", IN_BODY, NULL, "")
FIXED(CHAT, ANTHROPIC_MESSAGES, "", "POST", "/v1/messages", IN_BODY, NULL, "")
FIXED(CHAT, OPENAI_RESPONSES, "", "POST", "/v1/responses", IN_BODY, NULL, "")
FIXED(CHAT, COHERE_CHAT, "", "POST", "/v2/chat", IN_BODY, NULL, "")
NAMED(CHAT, GEMINI, "/v1beta/models/", ":generateContent", false, JSON_ARRAY, NULL, "")
NAMED(CHAT, GEMINI, "/v1beta/models/", ":streamGenerateContent", true, JSON_ARRAY, NULL, "")
NAMED(CHAT, GEMINI, "/v1/models/", ":generateContent", false, JSON_ARRAY, NULL, "")
NAMED(CHAT, GEMINI, "/v1/models/", ":streamGenerateContent", true, JSON_ARRAY, NULL, "")
NAMED(CHAT, BEDROCK_CONVERSE, "/model/", "/converse", false, AWS_EVENTS, NULL, "")
NAMED(CHAT, BEDROCK_CONVERSE, "/model/", "/converse-stream", true, AWS_EVENTS, NULL, "")

FIXED(EMBEDDINGS, OPENAI_CHAT, "", "POST", "/v1/embeddings", IN_BODY, &input_shape, "/embeddings")
NAMED(EMBEDDINGS, GEMINI, "/v1beta/models/", ":embedContent", false, SSE, &content_shape,
      "/models/{model}:embedContent")
NAMED(EMBEDDINGS, GEMINI, "/v1beta/models/", ":batchEmbedContents", false, SSE, &content_shape,
      "/models/{model}:batchEmbedContents")
NAMED(EMBEDDINGS, GEMINI, "/v1/models/", ":embedContent", false, SSE, &content_shape, "/models/{model}:embedContent")
NAMED(EMBEDDINGS, GEMINI, "/v1/models/", ":batchEmbedContents", false, SSE, &content_shape,
      "/models/{model}:batchEmbedContents")
FIXED(EMBEDDINGS, COHERE_CHAT, "", "POST", "/v2/embed", IN_BODY, &texts_shape, "/embed")
FIXED(RERANK, OPENAI_CHAT, "", "POST", "/v1/rerank", IN_BODY, &documents_shape, "/rerank")
FIXED(RERANK, COHERE_CHAT, "", "POST", "/v2/rerank", IN_BODY, &documents_shape, "/rerank")

FIXED(COMPLETIONS, OPENAI_CHAT, "", "POST", "/v1/completions", IN_BODY, &prompt_shape, "/completions")
FIXED(MODERATIONS, OPENAI_CHAT, "", "POST", "/v1/moderations", IN_BODY, &input_shape, "/moderations")
FIXED(IMAGES, OPENAI_CHAT, "", "POST", "/v1/images/generations", IN_BODY, &prompt_shape, "/images/generations")
FIXED(IMAGES, OPENAI_CHAT, "", "POST", "/v1/images/edits", IN_FORM, NULL, "/images/edits")
FIXED(IMAGES, OPENAI_CHAT, "", "POST", "/v1/images/variations", IN_FORM, NULL, "/images/variations")
FIXED(SPEECH, OPENAI_CHAT, "", "POST", "/v1/audio/speech", IN_BODY, &input_shape, "/audio/speech")
FIXED(TRANSCRIPTIONS, OPENAI_CHAT, "", "POST", "/v1/audio/transcriptions", IN_FORM, NULL, "/audio/transcriptions")
FIXED(TRANSCRIPTIONS, OPENAI_CHAT, "", "POST", "/v1/audio/translations", IN_FORM, NULL, "/audio/translations")

FIXED(COUNT_TOKENS, ANTHROPIC_MESSAGES, "", "POST", "/v1/messages/count_tokens", IN_BODY, &messages_shape,
      "/messages/count_tokens")
FIXED(COUNT_TOKENS, OPENAI_RESPONSES, "", "POST", "/v1/responses/input_tokens", IN_BODY, &input_shape,
      "/responses/input_tokens")
NAMED(COUNT_TOKENS, GEMINI, "/v1beta/models/", ":countTokens", false, SSE, &content_shape,
      "/models/{model}:countTokens")
NAMED(COUNT_TOKENS, GEMINI, "/v1/models/", ":countTokens", false, SSE, &content_shape, "/models/{model}:countTokens")
NAMED(COUNT_TOKENS, BEDROCK_CONVERSE, "/model/", "/count-tokens", false, SSE, &content_shape,
      "/model/{model}/count-tokens")
NAMED(INVOKE, BEDROCK_CONVERSE, "/model/", "/invoke", false, AWS_EVENTS, &content_shape, "/model/{model}/invoke")
NAMED(INVOKE, BEDROCK_CONVERSE, "/model/", "/invoke-with-response-stream", true, AWS_EVENTS, &content_shape,
      "/model/{model}/invoke-with-response-stream")

FIXED(BATCHES, ANTHROPIC_MESSAGES, "", "", "/v1/messages/batches", NOWHERE, NULL, "/messages/batches")
BELOW(BATCHES, ANTHROPIC_MESSAGES, "", "/v1/messages/batches/", "/messages/batches/")
FIXED(BATCHES, OPENAI_CHAT, "", "", "/v1/batches", NOWHERE, NULL, "/batches")
BELOW(BATCHES, OPENAI_CHAT, "", "/v1/batches/", "/batches/")
FIXED(FILES, ANTHROPIC_MESSAGES, "anthropic-version", "", "/v1/files", NOWHERE, NULL, "/files")
BELOW(FILES, ANTHROPIC_MESSAGES, "anthropic-version", "/v1/files/", "/files/")
FIXED(FILES, OPENAI_CHAT, "", "", "/v1/files", NOWHERE, NULL, "/files")
BELOW(FILES, OPENAI_CHAT, "", "/v1/files/", "/files/")
FIXED(FILES, OPENAI_CHAT, "", "", "/v1/uploads", NOWHERE, NULL, "/uploads")
BELOW(FILES, OPENAI_CHAT, "", "/v1/uploads/", "/uploads/")
BELOW(RESPONSES, OPENAI_RESPONSES, "", "/v1/responses/", "/responses/")
BELOW(RAW, OPENAI_CHAT, "", "/providers/", "/")

FIXED(MODELS, ANTHROPIC_MESSAGES, "anthropic-version", "GET", "/v1/models", NOWHERE, NULL, "")
NAMED_MODEL(ANTHROPIC_MESSAGES, "anthropic-version", "/v1/models/")
FIXED(MODELS, GEMINI, "x-goog-api-key", "GET", "/v1/models", NOWHERE, NULL, "")
NAMED_MODEL(GEMINI, "x-goog-api-key", "/v1/models/")
FIXED(MODELS, OPENAI_CHAT, "", "GET", "/v1/models", NOWHERE, NULL, "")
NAMED_MODEL(OPENAI_CHAT, "", "/v1/models/")
FIXED(MODELS, GEMINI, "", "GET", "/v1beta/models", NOWHERE, NULL, "")
NAMED_MODEL(GEMINI, "", "/v1beta/models/")
FIXED(MODELS, BEDROCK_CONVERSE, "", "GET", "/foundation-models", NOWHERE, NULL, "")
NAMED_MODEL(BEDROCK_CONVERSE, "", "/foundation-models/")
