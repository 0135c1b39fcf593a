/* config: one loaded configuration, immutable once built; shared by all workers, owned by its generation. Built by
 * main/config/config_file.c from the file, completed by script/ from the adapter files. */
#ifndef MOONGATE_GATE_CONFIG_H
#define MOONGATE_GATE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/value.h"
#include "gate/account/catalogue.h"
#include "gate/attempt/clocks.h"
#include "gate/attempt/recover.h"
#include "gate/attempt/retry.h"
#include "gate/attempt/retry_budget.h"
#include "gate/attempt/target.h"
#include "gate/dialect/dialect.h"
#include "gate/health/health.h"
#include "gate/key.h"

struct hedge_rules;
struct key_state;
struct provider_state;
struct secret;
struct signer;

enum { PROVIDER_KEYS_MAX = 32 };

/* A provider's key: the ready header line, in memory that is not dumped and wiped on free. */
struct provider_key {
  char *label;             /* "env OPENAI_API_KEY"; for logs and traces */
  struct secret *line;     /* "authorization: Bearer sk-…\r\n"; NULL for auth "none" */
  struct secret *bare;     /* the key alone, to find it in error bodies; NULL for auth "none" */
  char *identity;          /* what a connection pool depends on besides the key: origin, TLS, proxy, deadlines */
  struct key_state *state; /* the process's, of this very key; NULL in configs that call nobody */
};

struct adapter_path {
  char *key, *path; /* "embeddings", or the path it replaces ("images/edits"); "/openai/deployments/{model}/…" */
};

/* Which dialects a provider speaks with models whose name begins so. */
struct dialect_rule {
  char *prefix;
  const struct dialect *first;
  uint32_t dialects; /* bits 1 << enum dialect_id, the first's too */
};

/* What adapters/NAME.lua says as data. Filled by script/ while a generation is built. */
struct adapter {
  char *name;                         /* "openai-compatible" */
  char *file;                         /* its path */
  char *doc;                          /* one line on what it is; NULL: none */
  char *catalogue;                    /* whose rows of the catalogue are its models'; NULL: its own */
  const struct dialect *dialect;      /* the first that it speaks */
  uint32_t dialects;                  /* all of them: bits 1 << enum dialect_id; 0: only the first */
  struct dialect_rule *dialect_rules; /* for some models: the first that fits */
  uint32_t dialect_rule_count;
  char *paths[DIALECT_COUNT]; /* by dialect, as path below; "{origin}/…": not below base_url's path; NULL: none */
  char *stream_paths[DIALECT_COUNT];
  char *base_url;                   /* default; NULL: the config must give one */
  char *auth_header;                /* "authorization"; NULL: none */
  char *auth_prefix;                /* "Bearer " or "" */
  char *headers;                    /* ready lines that every request gets, e.g. "anthropic-version: 2023-06-01\r\n" */
  const struct signer *signer;      /* makes the secret lines of each call; NULL: auth_header does */
  struct adapter_path *other_paths; /* all of `paths`, for what is no chat */
  uint32_t other_path_count;
  char *path, *stream_path; /* appended to base_url's path ({model} in it: the model); NULL: the dialect's; stream_path
                               NULL: path, else the dialect's */
  char *environment;        /* variable whose presence turns the provider on without a config; NULL: none */
  char **models;            /* bare names it owns, NULL-terminated; NULL: none */
  struct failure_rule *errors; /* how it tells of errors where the defaults do not fit */
  uint32_t error_count;
  bool rewrites_request, rewrites_response, rewrites_event; /* the file has that hook */
  bool tells_cost;                                          /* its answers say what they cost, in US dollars */
  bool stream_usage; /* openai.chat: ask for the usage chunk when the client did not */
  bool usage_nulls;  /* openai.chat: the other chunks then hold "usage":null */
};

/* The adapter's own path under that key of its `paths`; NULL: none. */
const char *adapter_path(const struct adapter *a, struct slice key);

struct provider {
  char *name;
  int line; /* in the config file */
  struct adapter *adapter;
  char *base_url;  /* never NULL once complete */
  char *base_path; /* of base_url, "" or "/v1" */
  char *authority; /* for the Host header */
  const struct dialect *dialect;
  struct provider_key keys[PROVIDER_KEYS_MAX];
  uint32_t key_count;       /* at least 1: a provider without keys has one without a line */
  struct timeouts timeouts; /* all of them said but total */
  struct model_clocks *model_clocks;
  uint32_t model_clock_count;
  uint32_t dial_ms, handshake_ms; /* the longest connect and tls of any of its attempts, for its connections */
  struct health_rules health;
  struct provider_state *state; /* the process's; NULL in configs that call nobody */
  bool one_dialect;             /* the config names it: whatever else the adapter speaks is not used */
  bool http2, insecure;
  char *ca_file, *proxy;       /* NULL: the system's; none */
  char *region, *service;      /* of a cloud; NULL: as the host names them */
  const struct value *options; /* for the adapter's setup; NULL: none */
  uint32_t index;              /* in config->providers */
  uint32_t max_in_flight;      /* PLACES_UNLIMITED: no cap */
  uint64_t memory_bytes;       /* of the bodies that are held for it; 0: no cap */
  struct place *place;         /* NULL: no cap of either */
};

/* How much may be done at once (gate/admission/admission.h). */
struct admission_caps {
  bool on;                         /* any cap is set */
  uint32_t in_flight;              /* of the process; PLACES_UNLIMITED: no cap */
  uint32_t queue;                  /* how many may wait */
  uint32_t queue_ms;               /* and how long */
  uint64_t memory_bytes;           /* of the process; 0: no cap */
  uint8_t priority_max;            /* the highest that a key or a route gives */
  struct place *process, *no_team; /* no_team: of keys without one */
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
  bool strict;                 /* what a translation would lose is refused */
  bool coalesce;               /* identical requests that run at once share one answer (gate/sharing/coalesce.h) */
  struct timeouts *timeouts;   /* NULL: it says none */
  struct retry_rules *retry;   /* NULL: the default */
  struct hedge_rules *hedge;   /* NULL: none of its requests is hedged */
  struct fallback_list fallbacks[FALLBACK_COUNT];
  enum recover_mode recover;    /* what is done when a stream breaks off */
  uint32_t disconnect_drain_ms; /* how long its attempts are read on without a client; 0: they are cancelled */
  uint8_t priority;             /* 0 … 9, or PRIORITY_UNSAID */
  uint32_t queue_ms;            /* its requests may wait for a place; 0: as long as all others */
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
  uint64_t kept_bytes; /* of answers that the gateway keeps (gate/keeping/keeping.h); 0: it keeps none */
  uint32_t kept_ms;    /* after their last use */
  uint32_t head_bytes, head_ms, body_ms, keep_alive_ms, write_idle_ms, connections, drain_ms;
  uint32_t drain_delay_ms;
  bool half_close_leaves; /* a client that closes its sending side is taken for gone */
  struct admission_caps admission;

  struct provider **providers;
  uint32_t provider_count;
  struct adapter **adapters;
  uint32_t adapter_count;
  struct route **routes;
  uint32_t route_count;
  bool coalesces;          /* some route does */
  struct target **targets; /* every target that the config names */
  uint32_t target_count;
  struct key_table *keys; /* NULL: none configured, so loopback only and open */
  struct team **teams;
  uint32_t team_count;
  struct script_upstream *upstreams;
  uint32_t upstream_count;
  struct catalogue *catalogue; /* what is known of models */
  bool deny_unpriced;          /* a target without a price is not called */
  struct retry_budget_rules retry_budget;
  uint32_t panic_ppm; /* of a route's targets: when more are left out, nobody is */
};

struct config *config_new(void);
void config_free(struct config *c);          /* wipes the secrets */
void config_free_adapter(struct adapter *a); /* NULL is fine */

struct provider *config_provider(const struct config *c, struct slice name);
struct route *config_route(const struct config *c, struct slice name);
struct target *config_target(const struct config *c, struct slice name);
const struct script_upstream *config_upstream(const struct config *c, struct slice name);
/* The provider that owns a bare model name: the first (in file order) one of whose targets or adapter's models has it.
 * NULL: none. */
struct provider *config_owner_of(const struct config *c, struct slice model);
/* Whether both have the same provider keys, virtual keys and admin token; they come from outside the files. */
bool config_same_secrets(const struct config *a, const struct config *b);
/* What to speak to p for this model: the client's own dialect where p speaks that, else the first that p speaks. */
const struct dialect *provider_dialect(const struct provider *p, struct slice model, const struct dialect *client);
/* Fills what the catalogue knows of the target. */
void config_know_target(const struct config *c, struct target *t);
/* Adds (or finds) the target provider/model. */
struct target *config_add_target(struct config *c, struct provider *p, struct slice model);

#endif
