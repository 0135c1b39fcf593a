/* operation: the table, and who can serve what. Any thread. What answers tell is in operation_read.c. */
#include "gate/dialect/operation.h"

#include "base/must.h"

static const struct operation_row rows[OPERATION_COUNT] = {
#define OPERATION(id, name, estimate, doc) [OPERATION_##id] = {name, ESTIMATE_##estimate, doc},
#include "gate/dialect/operation_table.h"
#undef OPERATION
};

const struct operation_row *operation_row(enum operation operation) {
  must(operation < OPERATION_COUNT);
  return &rows[operation];
}

static enum dialect_id family_of(const struct dialect *d) {
  enum dialect_id id = dialect_index(d);
  return id == DIALECT_OPENAI_RESPONSES ? DIALECT_OPENAI_CHAT : id;
}

bool operation_is_shared(enum operation operation, const struct dialect *client, const struct dialect *provider) {
  if (client == provider || operation == OPERATION_RAW) return true;
  return operation != OPERATION_CHAT && family_of(client) == family_of(provider);
}

struct slice operation_path(enum operation operation, const struct dialect *provider) {
  static const struct slice embeddings[DIALECT_COUNT] = {
      [DIALECT_OPENAI_CHAT] = SLICE_INIT("/embeddings"),
      [DIALECT_GEMINI] = SLICE_INIT("/models/{model}:batchEmbedContents"),
      [DIALECT_COHERE_CHAT] = SLICE_INIT("/embed"),
      [DIALECT_BEDROCK_CONVERSE] = SLICE_INIT("/model/{model}/invoke"),
  };
  static const struct slice rerank[DIALECT_COUNT] = {
      [DIALECT_OPENAI_CHAT] = SLICE_INIT("/rerank"),
      [DIALECT_COHERE_CHAT] = SLICE_INIT("/rerank"),
      [DIALECT_BEDROCK_CONVERSE] = SLICE_INIT("/model/{model}/invoke"),
  };
  if (operation == OPERATION_EMBEDDINGS) return embeddings[family_of(provider)];
  if (operation == OPERATION_RERANK) return rerank[family_of(provider)];
  return SLICE("");
}
