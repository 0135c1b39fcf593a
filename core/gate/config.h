/* config: one loaded configuration, immutable once built; shared by all workers, owned by its generation. Built by
 * main/config.c from the file, completed by script/ from the adapter files. */
#ifndef MOONGATE_GATE_CONFIG_H
#define MOONGATE_GATE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/value.h"
#include "gate/dialect.h"
#include "gate/key.h"
#include "gate/target.h"

struct secret;

struct timeouts {
  uint32_t connect_ms, first_token_ms, between_tokens_ms, total_ms;
};

enum { PROVIDER_KEYS_MAX = 32 };

/* A provider's key: the ready header line, in memory that is not dumped and wiped on free. */
struct provider_key {
  char *label;         /* "env OPENAI_API_KEY"; for logs and traces */
  struct secret *line; /* "authorization: Bearer sk-…\r\n"; NULL for auth "none" */
  struct secret *bare; /* the key alone, to find it in error bodies; NULL for auth "none" */
  char *identity;      /* what a connection pool depends on besides the key: origin, TLS, proxy, deadlines */
};

/* What adapters/NAME.lua says as data. Filled by script/ while a generation is built. */
struct adapter {
  char *name; /* "openai-compatible" */
  char *file; /* its path */
  const struct dialect *dialect;
  char *base_url;              /* default; NULL: the config must give one */
  char *auth_header;           /* "authorization"; NULL: none */
  char *auth_prefix;           /* "Bearer " or "" */
  char *headers;               /* ready lines that every request gets, e.g. "anthropic-version: 2023-06-01\r\n" */
  char *path;                  /* appended to base_url's path; NULL: the dialect's */
  char *environment;           /* variable whose presence turns the provider on without a config; NULL: none */
  char **models;               /* bare names it owns, NULL-terminated; NULL: none */
  struct failure_rule *errors; /* how it tells of errors where the defaults do not fit */
  uint32_t error_count;
  bool rewrites_request, rewrites_response, rewrites_event; /* the file has that hook */
  bool stream_usage; /* openai.chat: ask for the usage chunk when the client did not */
};

struct provider {
  char *name;
  int line; /* in the config file */
  struct adapter *adapter;
  char *base_url;  /* never NULL once complete */
  char *base_path; /* of base_url, "" or "/v1" */
  char *authority; /* for the Host header */
  const struct dialect *dialect;
  struct provider_key keys[PROVIDER_KEYS_MAX];
  uint32_t key_count; /* at least 1: a provider without keys has one without a line */
  struct timeouts timeouts;
  bool http2, insecure;
  char *ca_file, *proxy;       /* NULL: the system's; none */
  const struct value *options; /* for the adapter's setup; NULL: none */
  uint32_t index;              /* in config->providers */
};

struct pool { /* a named list of targets within a route */
  char *name;
  struct target **targets;
  uint32_t count;
};

struct route {
  char *name;
  int line;
  char *policy; /* "builtin", "weighted", or a file */
  const struct value *options;
  struct target **targets; /* all of them, in order; of the pools too */
  uint32_t target_count;
  struct pool *pools;
  uint32_t pool_count;
  bool has_policy, has_retry;  /* the policy file has that hook; set by script/ while a generation is built */
  bool refuse_on_script_error; /* default: go on with the builtin order */
  uint32_t index;
};

/* A named HTTP service that scripts may call with gw.fetch. */
struct script_upstream {
  char *name, *base_url, *ca_file;
  struct provider_key key; /* line NULL: none */
};

struct config {
  char *file;         /* path of the config file; NULL when started without one */
  struct value *tree; /* as read; options point into it */
  uint64_t hash;      /* of the config's and scripts' sources: equal means nothing changed */

  /* process: taken at start, a reload that changes one of these says that it needs a restart */
  char *listen, *admin_listen, *tls_cert, *tls_key, *trace_file;
  bool open_access; /* non-loopback without keys was asked for */
  uint32_t workers;
  struct secret *admin_token; /* NULL: none, loopback only */

  /* limits of the edge */
  uint64_t body_bytes;
  uint32_t head_bytes, head_ms, body_ms, keep_alive_ms, write_idle_ms, connections, drain_ms;

  struct provider **providers;
  uint32_t provider_count;
  struct adapter **adapters;
  uint32_t adapter_count;
  struct route **routes;
  uint32_t route_count;
  struct target **targets; /* every target that the config names */
  uint32_t target_count;
  struct key_table *keys; /* NULL: none configured, so loopback only and open */
  struct team **teams;
  uint32_t team_count;
  struct script_upstream *upstreams;
  uint32_t upstream_count;
  struct price_table *prices;
};

struct config *config_new(void);
void config_free(struct config *c); /* wipes the secrets */
void config_free_adapter(struct adapter *a);

struct provider *config_provider(const struct config *c, struct slice name);
struct route *config_route(const struct config *c, struct slice name);
struct target *config_target(const struct config *c, struct slice name);
const struct script_upstream *config_upstream(const struct config *c, struct slice name);
/* The provider that owns a bare model name: the first (in file order) one of whose targets or adapter's models has it.
 * NULL: none. */
struct provider *config_owner_of(const struct config *c, struct slice model);
/* Whether both have the same provider keys, virtual keys and admin token; they come from outside the files. */
bool config_same_secrets(const struct config *a, const struct config *b);
/* Adds (or finds) the target provider/model. */
struct target *config_add_target(struct config *c, struct provider *p, struct slice model);

#endif
