/* schema: the table and the check. Any thread. */
#include "main/schema.h"

#include <stdio.h>

#include "base/must.h"
#include "base/suggest.h"

enum schema_type {
  ONE_TABLE, /* a table with the keys of the rows below it */
  NAMED,     /* a table from names to whatever the row "path.*" says */
  LIST,      /* a list of whatever the row "path[]" says */
  TEXT,
  SECRET,
  INTEGER,
  BOOLEAN,
  DURATION,
  BYTES,
  URL,
  TARGET,
  CHOICE,
  FREE
};

struct row {
  const char *path;
  enum schema_type type;
  const char *fallback; /* as written in the file; NULL: none */
  const char *doc;
  const char *example; /* a value as written in the file */
};

static const struct row rows[] = {
    {"", ONE_TABLE, NULL, "The file returns this table. Paths in it are relative to the file's own folder.",
     "return { listen = \"127.0.0.1:8080\" }"},
    {"listen", TEXT, "127.0.0.1:8080",
     "Address and port for clients. Beyond loopback it needs `keys`. Change needs a restart.", "\"0.0.0.0:8080\""},
    {"open_access", BOOLEAN, "false",
     "Serve beyond loopback without `keys`: anybody who reaches the port spends your money.", "true"},
    {"workers", INTEGER, "0", "Worker threads; 0: one a core. Change needs a restart.", "2"},
    {"tls", ONE_TABLE, NULL, "Serve HTTPS. A reload reads the files again without dropping connections.",
     "{ cert = \"chain.pem\", key = \"key.pem\" }"},
    {"tls.cert", TEXT, NULL, "PEM file with the certificate chain, leaf first.", "\"/etc/moongate/chain.pem\""},
    {"tls.key", TEXT, NULL, "PEM file with its private key.", "\"/etc/moongate/key.pem\""},
    {"admin", ONE_TABLE, NULL, "The operator's port: health, metrics, status, reload.",
     "{ listen = \"127.0.0.1:8081\" }"},
    {"admin.listen", TEXT, "127.0.0.1:8081",
     "Address and port. Beyond loopback it needs `admin.token`. Change needs a restart.", "\"127.0.0.1:8081\""},
    {"admin.token", SECRET, NULL, "Bearer token for everything but /livez and /readyz.",
     "env \"MOONGATE_ADMIN_TOKEN\""},
    {"drain", DURATION, "300s", "How long SIGTERM lets running requests finish.", "\"30s\""},
    {"providers", NAMED, NULL, "Accounts with somebody who serves models, by a name of your choice.",
     "{ openai = { keys = { env \"OPENAI_API_KEY\" } } }"},
    {"providers.*", ONE_TABLE, NULL, "One account.", "{ adapter = \"openai\", keys = { env \"OPENAI_API_KEY\" } }"},
    {"providers.*.adapter", TEXT, NULL,
     "The file under adapters/ that knows this provider, or a path; default: the provider's name.",
     "\"openai-compatible\""},
    {"providers.*.base_url", URL, NULL, "Where the API lives, up to and with its version; default: the adapter's.",
     "\"https://api.openai.com/v1\""},
    {"providers.*.keys", LIST, NULL, "Its API keys; several take turns.", "{ env \"OPENAI_API_KEY\" }"},
    {"providers.*.keys[]", SECRET, NULL, "A key, by reference.", "env \"OPENAI_API_KEY\""},
    {"providers.*.dialect", CHOICE, "openai.chat|anthropic.messages",
     "The wire protocol it speaks; default: the adapter's.", "\"openai.chat\""},
    {"providers.*.http2", BOOLEAN, "false", "Use HTTP/2 towards it.", "true"},
    {"providers.*.ca_file", TEXT, NULL, "PEM file of certificate authorities to trust instead of the system's.",
     "\"/etc/ssl/internal.pem\""},
    {"providers.*.insecure", BOOLEAN, "false", "Do not verify its certificate. For tests only; every start warns.",
     "true"},
    {"providers.*.proxy", TEXT, NULL,
     "HTTP or SOCKS proxy to reach it through. The environment's proxies are never used.",
     "\"http://proxy.internal:3128\""},
    {"providers.*.timeouts", ONE_TABLE, NULL, "Clocks of this provider; default: the top-level `timeouts`.",
     "{ first_token = \"20s\" }"},
    {"providers.*.timeouts.connect", DURATION, NULL, "DNS, TCP and TLS.", "\"3s\""},
    {"providers.*.timeouts.first_token", DURATION, NULL, "From the attempt's start to its first content.", "\"300s\""},
    {"providers.*.timeouts.between_tokens", DURATION, NULL,
     "Between two pieces of content of a stream; pings do not count.", "\"30s\""},
    {"providers.*.timeouts.total", DURATION, NULL, "The whole attempt.", "\"1h\""},
    {"providers.*.options", FREE, NULL, "Options that the adapter file declares.", "{ region = \"eu\" }"},
    {"timeouts", ONE_TABLE, NULL, "Clocks for every provider that does not set its own.", "{ first_token = \"20s\" }"},
    {"timeouts.connect", DURATION, "3s", "DNS, TCP and TLS.", "\"3s\""},
    {"timeouts.first_token", DURATION, "60s", "From the attempt's start to its first content.", "\"300s\""},
    {"timeouts.between_tokens", DURATION, "30s", "Between two pieces of content of a stream; pings do not count.",
     "\"30s\""},
    {"timeouts.total", DURATION, "600s", "The whole attempt.", "\"1h\""},
    {"routes", NAMED, NULL, "Names that clients put into `model`, each with targets and a policy.",
     "{ cheap = { targets = { \"openai/gpt-5-mini\" } } }"},
    {"routes.*", ONE_TABLE, NULL, "One route.",
     "{ targets = { \"openai/gpt-5-mini\", \"anthropic/claude-haiku-4-5\" } }"},
    {"routes.*.policy", TEXT, "builtin",
     "A policy that ships (builtin, weighted), or the path of your own, from this file's directory.",
     "\"policies/tiered.lua\""},
    {"routes.*.targets", LIST, NULL, "What may be tried, in order.",
     "{ \"openai/gpt-5-mini\", \"anthropic/claude-haiku-4-5\" }"},
    {"routes.*.targets[]", TARGET, NULL,
     "\"provider/model\", or { \"provider/model\", weight = 3 } for policies that weigh.", "\"openai/gpt-5-mini\""},
    {"routes.*.pools", NAMED, NULL, "Named lists of targets, for policies that choose between them (gw.pool).",
     "{ small = { \"openai/gpt-5-nano\" } }"},
    {"routes.*.pools.*", LIST, NULL, "One pool, in order.", "{ \"openai/gpt-5-nano\" }"},
    {"routes.*.pools.*[]", TARGET, NULL, "As in `targets`.", "\"openai/gpt-5-nano\""},
    {"routes.*.options", FREE, NULL, "Options that the policy file declares.", "{ limit = 4000 }"},
    {"routes.*.on_script_error", CHOICE, "builtin|refuse",
     "When the policy raises an error: go on in the order of targets (builtin), or refuse with 500.", "\"refuse\""},
    {"teams", NAMED, NULL, "Who pays.", "{ search = {} }"},
    {"teams.*", ONE_TABLE, NULL, "One team.", "{}"},
    {"keys", LIST, NULL, "Virtual keys: who may. Without any, only loopback is served, without a key.",
     "{ { name = \"ci\", team = \"search\", key = env \"CI_KEY\" } }"},
    {"keys[]", ONE_TABLE, NULL, "One key.", "{ name = \"ci\", key = env \"CI_KEY\" }"},
    {"keys[].name", TEXT, NULL, "What traces and metrics show.", "\"ci\""},
    {"keys[].team", TEXT, NULL, "Its team.", "\"search\""},
    {"keys[].key", SECRET, NULL, "The secret that clients send; 16 bytes or more.", "env \"CI_KEY\""},
    {"keys[].models", LIST, NULL, "Routes and models it may use; default: all.", "{ \"cheap\" }"},
    {"keys[].models[]", TEXT, NULL, "As a client would write it in `model`.", "\"cheap\""},
    {"upstreams", NAMED, NULL,
     "HTTP services that scripts may call (gw.fetch); nothing else can be reached from a script.",
     "{ classifier = { base_url = \"http://127.0.0.1:9000\" } }"},
    {"upstreams.*", ONE_TABLE, NULL, "One service.", "{ base_url = \"http://127.0.0.1:9000\" }"},
    {"upstreams.*.base_url", URL, NULL, "Where it lives.", "\"http://127.0.0.1:9000\""},
    {"upstreams.*.key", SECRET, NULL, "Sent as Bearer; scripts never see it.", "env \"CLASSIFIER_KEY\""},
    {"upstreams.*.ca_file", TEXT, NULL, "As for providers.", "\"/etc/ssl/internal.pem\""},
    {"prices", FREE, NULL, "Prices of your own, in US dollars per million tokens; they win over adapters/prices.lua.",
     "{ [\"openai/gpt-5-mini\"] = { input = \"0.25\", output = \"2\" } }"},
    {"trace", ONE_TABLE, NULL, "The trace record of each request.", "{ file = \"traces.jsonl\" }"},
    {"trace.file", TEXT, "-", "Where the lines go; \"-\": stdout. Change needs a restart; SIGUSR1 opens it anew.",
     "\"/var/log/moongate/traces.jsonl\""},
    {"limits", ONE_TABLE, NULL, "Limits of the edge.", "{ body = \"8MiB\" }"},
    {"limits.body", BYTES, "32MiB", "Largest request body.", "\"8MiB\""},
    {"limits.head", BYTES, "32KiB", "Largest request head.", "\"16KiB\""},
    {"limits.head_time", DURATION, "5s", "For a whole head, from its first byte.", "\"5s\""},
    {"limits.body_time", DURATION, "30s", "For a whole body.", "\"60s\""},
    {"limits.keep_alive", DURATION, "75s", "How long an idle client connection stays.", "\"75s\""},
    {"limits.write_idle", DURATION, "60s", "How long a client may take no byte of its answer.", "\"60s\""},
    {"limits.connections", INTEGER, "10000", "Client connections a worker; above it, accepting waits.", "20000"},
};
enum { ROWS = sizeof rows / sizeof *rows };

static const struct row *row_of(const char *path) {
  for (unsigned i = 0; i < ROWS; i++)
    if (strcmp(rows[i].path, path) == 0) return &rows[i];
  return NULL;
}

/* ---- units -------------------------------------------------------------------------------------------------- */

struct unit {
  const char *name;
  uint64_t factor;
};

static bool parse_units(struct slice text, const struct unit *units, size_t count, uint64_t *out) {
  size_t digits = 0;
  while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') digits++;
  uint64_t number;
  if (!slice_to_u64(slice_of(text.ptr, digits), &number)) return false;
  for (size_t i = 0; i < count; i++) {
    if (!slice_eq(slice_from(text, digits), slice_text(units[i].name))) continue;
    if (number > UINT32_MAX || number * units[i].factor > (UINT64_C(1) << 40)) return false;
    *out = number * units[i].factor;
    return true;
  }
  return false;
}

bool schema_parse_ms(struct slice text, uint64_t *out) {
  static const struct unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
  return parse_units(text, units, 4, out) && *out <= UINT32_MAX;
}

bool schema_parse_bytes(struct slice text, uint64_t *out) {
  static const struct unit units[] = {{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
  return parse_units(text, units, 4, out);
}

/* ---- the check ---------------------------------------------------------------------------------------------- */

static const char *const expected[] = {
    [ONE_TABLE] = "a table",
    [NAMED] = "a table of names",
    [LIST] = "a list",
    [TEXT] = "a string",
    [SECRET] = "a secret: env \"NAME\", file \"PATH\", or a string",
    [INTEGER] = "a whole number of at least 0",
    [BOOLEAN] = "true or false",
    [DURATION] = "a duration such as \"300ms\", \"5s\", \"2m\" or \"1h\"",
    [BYTES] = "a size such as \"512B\", \"64KiB\" or \"32MiB\"",
    [URL] = "a URL that begins with http:// or https://",
    [TARGET] = "\"provider/model\" or { \"provider/model\", weight = 1 }",
    [CHOICE] = "one of the known values",
    [FREE] = "a table",
};

struct walk {
  const char *file;
  struct err *e;
};

/* A text where a secret, a list or a table belongs may be a key that was put in the wrong place: it is not shown. */
static bool may_show_text(enum schema_type expected_type) {
  return expected_type != SECRET && expected_type != ONE_TABLE && expected_type != NAMED && expected_type != LIST &&
         expected_type != FREE;
}

static void describe(const struct value *v, enum schema_type expected_type, char *out, size_t cap) {
  if (v->kind == VALUE_TEXT && v->text.len == 0) snprintf(out, cap, "an empty string");
  else if (v->kind == VALUE_TEXT && may_show_text(expected_type))
    snprintf(out, cap, "the string \"%.60s\"", v->text.ptr);
  else if (v->kind == VALUE_INTEGER) snprintf(out, cap, "the number %lld", (long long)v->integer);
  else if (v->kind == VALUE_NUMBER) snprintf(out, cap, "the number %.14g", v->number);
  else if (v->kind == VALUE_BOOL) snprintf(out, cap, "%s", v->boolean ? "true" : "false");
  else snprintf(out, cap, "%s", value_kind_name(v->kind));
}

static bool wrong(struct walk *w, const struct value *v, const char *shown, const struct row *row, const char *what) {
  char got[128];
  describe(v, row->type, got, sizeof got);
  return err_set(w->e, "%s:%d: %s must be %s, not %s\n  for example: %s", w->file, v->line, shown, what, got,
                 row->example);
}

static bool is_choice(const char *choices, struct slice text) {
  struct slice left = slice_text(choices);
  while (left.len > 0) {
    ptrdiff_t bar = slice_find_byte(left, '|');
    if (slice_eq(bar < 0 ? left : slice_of(left.ptr, (size_t)bar), text)) return true;
    left = bar < 0 ? SLICE("") : slice_from(left, (size_t)bar + 1);
  }
  return false;
}

/* "a|b" as: "a" or "b" */
static void list_choices(const char *choices, char *out, size_t cap) {
  size_t at = (size_t)snprintf(out, cap, "\"");
  for (; *choices && at < cap; choices++)
    at += (size_t)snprintf(out + at, cap - at, *choices == '|' ? "\" or \"" : "%c", *choices);
  if (at < cap) snprintf(out + at, cap - at, "\"");
}

static bool is_target(const struct value *v) {
  const struct value *name = v;
  if (v->kind == VALUE_TABLE) {
    name = value_get(v, "1");
    const struct value *weight = value_get(v, "weight");
    if (v->count != 1u + (weight != NULL) ||
        (weight != NULL && (weight->kind != VALUE_INTEGER && weight->kind != VALUE_NUMBER)) ||
        (weight != NULL && !(weight->number > 0 && weight->number <= 1e6)))
      return false;
  }
  if (name == NULL || name->kind != VALUE_TEXT) return false;
  ptrdiff_t slash = slice_find_byte(name->text, '/');
  return slash > 0 && (size_t)slash + 1 < name->text.len;
}

static bool fits(const struct row *row, const struct value *v) {
  uint64_t ignored;
  switch (row->type) {
  case ONE_TABLE:
  case NAMED:
  case FREE: return v->kind == VALUE_TABLE || (v->kind == VALUE_LIST && v->count == 0);
  case LIST: return v->kind == VALUE_LIST || (v->kind == VALUE_TABLE && v->count == 0);
  case TEXT: return v->kind == VALUE_TEXT && v->text.len > 0;
  case SECRET: return v->kind == VALUE_SECRET || (v->kind == VALUE_TEXT && v->text.len > 0);
  case INTEGER: return v->kind == VALUE_INTEGER && v->integer >= 0 && v->integer <= INT32_MAX;
  case BOOLEAN: return v->kind == VALUE_BOOL;
  case DURATION: return v->kind == VALUE_TEXT && schema_parse_ms(v->text, &ignored);
  case BYTES: return v->kind == VALUE_TEXT && schema_parse_bytes(v->text, &ignored);
  case URL:
    return v->kind == VALUE_TEXT &&
           (slice_starts(v->text, SLICE("http://")) || slice_starts(v->text, SLICE("https://")));
  case TARGET: return is_target(v);
  case CHOICE: return v->kind == VALUE_TEXT && is_choice(row->fallback, v->text);
  }
  return false;
}

static bool unknown(struct walk *w, const struct value_field *field, const char *path, const char *shown) {
  const char *known[ROWS] = {NULL};
  size_t count = 0, len = strlen(path);
  for (unsigned i = 1; i < ROWS; i++) {
    const char *rest = rows[i].path + len + (len > 0);
    bool below = strncmp(rows[i].path, path, len) == 0 && (len == 0 || rows[i].path[len] == '.');
    if (below && *rest != '*' && *rest != '[' && strpbrk(rest, ".[") == NULL) known[count++] = rest;
  }
  char all[512] = "";
  for (size_t i = 0, at = 0; i < count && at < sizeof all - 40; i++)
    at += (size_t)snprintf(all + at, sizeof all - at, "%s%s", i ? ", " : "", known[i]);
  const char *near = suggest_nearest(field->key.ptr, known, count), *where = *shown ? shown : "the config";
  if (near != NULL)
    return err_set(w->e, "%s:%d: unknown key \"%s\" in %s; did you mean \"%s\"?", w->file, field->value.line,
                   field->key.ptr, where, near);
  if (count == 0)
    return err_set(w->e, "%s:%d: unknown key \"%s\" in %s, which takes no keys yet", w->file, field->value.line,
                   field->key.ptr, where);
  return err_set(w->e, "%s:%d: unknown key \"%s\" in %s\n  known: %s", w->file, field->value.line, field->key.ptr,
                 where, all);
}

/* path: of the schema ("routes.*.policy"); shown: as the user wrote it ("routes.cost.policy"). */
static bool check(struct walk *w, const struct value *v, const char *path, const char *shown) {
  const struct row *row = row_of(path);
  must(row != NULL);
  if (!fits(row, v)) {
    char choices[160];
    if (row->type == CHOICE) list_choices(row->fallback, choices, sizeof choices);
    return wrong(w, v, *shown ? shown : "the file's result", row, row->type == CHOICE ? choices : expected[row->type]);
  }
  char below[256], name[256];
  if (row->type == LIST) {
    for (uint32_t i = 0; i < v->count && v->kind == VALUE_LIST; i++) {
      snprintf(below, sizeof below, "%s[]", path);
      snprintf(name, sizeof name, "%s[%u]", shown, i + 1);
      if (!check(w, &v->items[i], below, name)) return false;
    }
  } else if ((row->type == ONE_TABLE || row->type == NAMED) && v->kind == VALUE_TABLE) {
    for (uint32_t i = 0; i < v->count; i++) {
      const struct value_field *f = &v->fields[i];
      snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "", row->type == NAMED ? "*" : f->key.ptr);
      snprintf(name, sizeof name, "%s%s%s", shown, *shown ? "." : "", f->key.ptr);
      if (row_of(below) == NULL) return unknown(w, f, path, shown);
      if (!check(w, &f->value, below, name)) return false;
    }
  }
  return true;
}

bool schema_check(const struct value *tree, const char *file, struct err *e) {
  struct walk w = {file, e};
  return check(&w, tree, "", "");
}

/* ---- readers ------------------------------------------------------------------------------------------------ */

static const struct value *find(const struct value *in, const char *path) {
  const char *last = strrchr(path, '.');
  return value_get(in, last ? last + 1 : path);
}

static struct slice text_of(const struct value *in, const char *path) {
  const struct value *v = find(in, path);
  if (v != NULL && v->kind == VALUE_TEXT) return v->text;
  const struct row *row = row_of(path);
  must(row != NULL);
  return slice_text(row->fallback);
}

const char *schema_text(const struct value *in, const char *path) {
  return text_of(in, path).ptr;
}

uint64_t schema_ms(const struct value *in, const char *path) {
  uint64_t ms = 0;
  must(schema_parse_ms(text_of(in, path), &ms));
  return ms;
}

uint64_t schema_bytes(const struct value *in, const char *path) {
  uint64_t bytes = 0;
  must(schema_parse_bytes(text_of(in, path), &bytes));
  return bytes;
}

uint64_t schema_integer(const struct value *in, const char *path) {
  const struct value *v = find(in, path);
  if (v != NULL) return (uint64_t)v->integer;
  uint64_t number = 0;
  must(slice_to_u64(text_of(in, path), &number));
  return number;
}

bool schema_boolean(const struct value *in, const char *path) {
  const struct value *v = find(in, path);
  return v != NULL && v->boolean;
}

void schema_reference(struct buf *out) {
  static const char *const names[] = {
      [ONE_TABLE] = "table", [NAMED] = "table of names", [LIST] = "list",
      [TEXT] = "string",     [SECRET] = "secret",        [INTEGER] = "integer",
      [BOOLEAN] = "boolean", [DURATION] = "duration",    [BYTES] = "size",
      [URL] = "URL",         [TARGET] = "target",        [CHOICE] = "choice",
      [FREE] = "table",
  };
  buf_text(out, "| key | type | default | meaning | example |\n| --- | --- | --- | --- | --- |\n");
  for (unsigned i = 1; i < ROWS; i++) {
    const struct row *r = &rows[i];
    buf_fill(out, "| `%s` | %s | ", r->path, names[r->type]);
    if (r->type == CHOICE) {
      for (const char *at = r->fallback; *at; at++) *at == '|' ? buf_text(out, " or ") : buf_byte(out, *at);
    } else {
      buf_text(out, r->fallback ? r->fallback : "–");
    }
    buf_fill(out, " | %s | `%s` |\n", r->doc, r->example);
  }
}
