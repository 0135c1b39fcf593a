/* kit: see the header. Main thread. It does not judge adapters: lua/gw/conformance.lua does. */
#include "main/kit.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/suggest.h"
#include "gate/dialect/dialect.h"
#include "script/kit.h"
#include "script/load.h"

enum { NAME_MAX_BYTES = 64 };

/* What stands behind the host in a base URL, by dialect. */
static const char *const base_paths[DIALECT_COUNT] = {
    [DIALECT_OPENAI_CHAT] = "/v1", [DIALECT_OPENAI_RESPONSES] = "/v1", [DIALECT_ANTHROPIC_MESSAGES] = "/v1",
    [DIALECT_GEMINI] = "/v1beta",  [DIALECT_COHERE_CHAT] = "/v2",      [DIALECT_BEDROCK_CONVERSE] = "",
};

/* Filled in: name, dialect, name in capitals, the base URL's path. */
static const char adapter_text[] =
    "-- %1$s: which API this is, and where its documentation stands.\n"
    "return {\n"
    "  api = 1,\n"
    "  doc = \"%1$s\",\n"
    "  dialect = \"%2$s\",\n"
    "  base_url = \"https://api.%1$s.example%4$s\",\n"
    "  auth = \"bearer\", -- or \"x-api-key\", \"none\", { header = \"api-key\" }\n"
    "  environment = \"%3$s_API_KEY\",\n"
    "  models = { \"%1$s-1\" },\n"
    "  -- What the server does otherwise than its dialect; the dialect's file lists what it knows of.\n"
    "  quirks = {},\n"
    "  -- What its error answers mean where the status does not tell; the first that fits gives the class.\n"
    "  errors = {\n"
    "    { status = 400, match = \"too many tokens\", class = \"context_length\" },\n"
    "  },\n"
    "}\n";

/* Filled in: name, dialect of a client that is not the adapter's. */
static const char spec_text[] =
    "-- What adapters/%1$s.lua must do; run by `moongate test adapters/%1$s.lua`. A case is data: what a client "
    "sends,\n"
    "-- what the provider is sent and answers, what the client is told.\n"
    "return {\n"
    "  {\n"
    "    name = \"a question and its answer\",\n"
    "    client = \"%2$s\",\n"
    "    request = { model = \"%1$s-1\", max_tokens = 100, messages = { { role = \"user\", content = \"hi\" } } },\n"
    "    says = \"Hello.\",\n"
    "    outcome = { text = \"Hello.\", finish = \"stop\" },\n"
    "  },\n"
    "  {\n"
    "    name = \"a context that is full\",\n"
    "    error = { status = 400, body = { error = { message = \"too many tokens: 9000\" } } },\n"
    "    class = \"context_length\",\n"
    "  },\n"
    "}\n";

static bool is_name(const char *name) {
  if (!islower((unsigned char)*name) || strlen(name) > NAME_MAX_BYTES) return false;
  for (const char *at = name; *at; at++)
    if (!islower((unsigned char)*at) && !isdigit((unsigned char)*at) && *at != '-' && *at != '_') return false;
  return true;
}

static bool write_new(const char *path, const struct buf *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  bool fine = fd >= 0 && write(fd, text->ptr, text->len) == (ssize_t)text->len;
  if (!fine) fprintf(stderr, "moongate: %s cannot be written: %s\n", path, strerror(errno));
  else fprintf(stderr, "%s\n", path);
  if (fd >= 0) close(fd);
  return fine;
}

/* NULL, told on stderr, when there is none of that name. */
static const struct dialect *known_dialect(const char *name) {
  const char *names[DIALECT_COUNT];
  for (int i = 0; i < DIALECT_COUNT; i++) {
    names[i] = dialect_of((enum dialect_id)i)->name;
    if (strcmp(names[i], name) == 0) return dialect_of((enum dialect_id)i);
  }
  const char *near = suggest_nearest(name, names, DIALECT_COUNT);
  fprintf(stderr, "moongate: there is no dialect \"%s\"%s%s%s; there are", name, near ? "; did you mean \"" : "",
          near ? near : "", near ? "\"?" : "");
  for (int i = 0; i < DIALECT_COUNT; i++) fprintf(stderr, "%s %s", i ? "," : "", names[i]);
  fprintf(stderr, "\n");
  return NULL;
}

bool kit_new_adapter(const char *name, const char *dialect_name) {
  char path[NAME_MAX_BYTES + 32], capitals[NAME_MAX_BYTES + 1];
  const char *chat = dialect_of(DIALECT_OPENAI_CHAT)->name;
  if (!is_name(name)) {
    fprintf(stderr, "moongate: \"%s\" is no name for an adapter: small letters, digits, '-' and '_', a letter first\n",
            name);
    return false;
  }
  const struct dialect *dialect = known_dialect(dialect_name ? dialect_name : chat);
  if (dialect == NULL) return false;
  size_t len = strlen(name);
  for (size_t i = 0; i <= len; i++) capitals[i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
  if (mkdir("adapters", 0755) != 0 && errno != EEXIST) {
    fprintf(stderr, "moongate: the directory adapters cannot be made: %s\n", strerror(errno));
    return false;
  }
  struct buf text = {0};
  snprintf(path, sizeof path, "adapters/%s.lua", name);
  buf_fill(&text, adapter_text, name, dialect->name, capitals, base_paths[dialect_index(dialect)]);
  bool fine = write_new(path, &text);
  text.len = 0;
  snprintf(path, sizeof path, "adapters/%s_spec.lua", name);
  const char *other = strcmp(dialect->name, chat) == 0 ? dialect_of(DIALECT_ANTHROPIC_MESSAGES)->name : chat;
  buf_fill(&text, spec_text, name, other);
  fine = fine && write_new(path, &text);
  buf_done(&text);
  return fine;
}

bool kit_test_files(const char *script_root, const char *const *paths, int count) {
  unsigned passed = 0, failed = 0;
  struct err e;
  if (!load_start(&e)) {
    fprintf(stderr, "moongate: %s\n", e.text);
    return false;
  }
  load_enter_thread();
  log_threshold(LOG_ERROR);
  for (int i = 0; i < count; i++) {
    struct buf out = {0};
    if (!kit_test(script_root, paths[i], &out, &passed, &failed, &e)) {
      buf_fill(&out, "%s\n", e.text);
      failed++;
    }
    fwrite(out.ptr, 1, out.len, stdout);
    buf_done(&out);
  }
  load_leave_thread();
  load_stop();
  printf("%u passed, %u failed\n", passed, failed);
  return failed == 0 && passed > 0;
}
