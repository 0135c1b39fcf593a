/* stage: what the tests of generations share: a script root of their own (the checkout's lua/ and adapters/, policies
 * written by the test), configs built by hand, and the whole gate on a loop with scripts loaded into it. */
#ifndef MOONGATE_TESTS_SCRIPT_STAGE_H
#define MOONGATE_TESTS_SCRIPT_STAGE_H

#include <ftw.h>
#include <sys/stat.h>

#include "gate/house.h"
#include "script/load.h"
#include "script/script.h"

/* Endless work. Under the thread sanitizer signals are delivered only when the program calls into the C library, which
 * an empty loop never does. */
#ifdef __SANITIZE_THREAD__
#define STAGE_LOOP "while true do pcall(error, gw.id('x')) end"
#else
#define STAGE_LOOP "while true do pcall(error) end"
#endif

struct stage {
  char root[64];
  struct sources *sources;
  struct house house;
  struct err e;
  struct buf answer; /* body of the last answer */
};

/* The checkout, found from this file. */
static inline const char *stage_checkout(void) {
  static char root[4096];
  must(realpath(__FILE__, root) != NULL);
  for (int up = 0; up < 4; up++) *strrchr(root, '/') = 0;
  return root;
}

static inline void stage_link(struct stage *s, const char *name) {
  char from[4200], to[600];
  snprintf(from, sizeof from, "%s/%s", stage_checkout(), name);
  snprintf(to, sizeof to, "%s/%s", s->root, name);
  must(symlink(from, to) == 0);
}

static inline void stage_write(struct stage *s, const char *name, const char *text) {
  char path[600];
  snprintf(path, sizeof path, "%s/%s", s->root, name);
  FILE *f = fopen(path, "w");
  must(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
  sources_unref(s->sources); /* what was read is kept in memory: read anew */
  s->sources = sources_new();
}

static inline void stage_init(struct stage *s) {
  *s = (struct stage){.root = "/tmp/moongate-stage-XXXXXX", .sources = sources_new()};
  char policies[100];
  must(mkdtemp(s->root) != NULL);
  snprintf(policies, sizeof policies, "%s/policies", s->root);
  must(mkdir(policies, 0700) == 0);
  stage_link(s, "lua");
  stage_link(s, "adapters");
  stage_link(s, "policies/builtin.lua");
  stage_link(s, "policies/weighted.lua");
}

static int stage_remove(const char *path, const struct stat *about, int kind, struct FTW *at) {
  (void)about;
  (void)kind;
  (void)at;
  return remove(path);
}

static inline void stage_done(struct stage *s) {
  sources_unref(s->sources);
  buf_done(&s->answer);
  nftw(s->root, stage_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* Two providers, a (openai.chat) and b (anthropic.messages), both at the port; a route "r" to a/one, b/two with the
 * policy and pools first = { a/one }, second = { b/two }. */
static inline struct config *stage_config(struct stage *s, const char *policy, uint16_t port) {
  struct config_made made = house_config();
  struct config *c = made.config;
  char file[100];
  snprintf(file, sizeof file, "%s/moongate.lua", s->root);
  c->file = text_of(file);
  house_provider(c, "a", made.openai, port);
  house_provider(c, "b", made.anthropic, port);
  struct route *r = house_route(c, "r", "a/one", "b/two", NULL);
  r->line = 7;
  mem_free(r->policy);
  r->policy = text_of(policy);
  r->pool_count = 2;
  r->pools = mem_zero(2 * sizeof *r->pools);
  for (unsigned i = 0; i < 2; i++) {
    r->pools[i] = (struct pool){text_of(i ? "second" : "first"), mem_alloc(sizeof(struct target *)), 1};
    r->pools[i].targets[0] = r->targets[i];
  }
  return c;
}

static inline void stage_release(struct generation *g) {
  house_released++;
  load_generation_free(g);
}

static inline struct generation *stage_load(struct stage *s, struct config *c, uint32_t workers) {
  static uint32_t number;
  struct load_options options = {
      .script_root = s->root, .sources = s->sources, .number = ++number, .workers = workers, .released = stage_release};
  s->e.text[0] = 0;
  return load_generation(c, &options, &s->e);
}

/* Writes the policy as policies/x.lua and loads it for route r with the options; false when that is refused. */
static inline bool stage_loads(struct stage *s, const char *policy, const struct value *options) {
  stage_write(s, "policies/x.lua", policy);
  struct config *c = stage_config(s, "x", 9);
  c->routes[0]->options = options;
  struct generation *g = stage_load(s, c, 2);
  if (g == NULL) return false;
  load_generation_free(g);
  return true;
}

/* Refused with a message that begins with `start` and holds `part`. */
static inline bool stage_refuses_options(struct stage *s, const char *policy, const struct value *options,
                                         const char *start, const char *part) {
  bool loaded = stage_loads(s, policy, options);
  if (!loaded && slice_starts(slice_text(s->e.text), slice_text(start)) && has(slice_text(s->e.text), part))
    return true;
  fprintf(stderr, "%s\n  %s \"%s\", not \"%s…%s…\"\n", policy, loaded ? "was loaded:" : "gave", s->e.text, start, part);
  return false;
}

static inline bool stage_refuses(struct stage *s, const char *policy, const char *start, const char *part) {
  return stage_refuses_options(s, policy, NULL, start, part);
}

/* ---- the gate */

static inline void stage_open_with(struct stage *s, struct config *c) {
  struct house *h = &s->house;
  struct server_limits limits;
  struct generation *g = stage_load(s, c, 1);
  CHECK_SLICE(slice_text(s->e.text), "");
  must(g != NULL);
  *h = (struct house){.loop = loop_new()};
  h->stop = (struct later){.call = house_stop_loop, .owner = h};
  snprintf(h->trace_path, sizeof h->trace_path, "/tmp/script-test-trace-%d", (int)getpid());
  unlink(h->trace_path);
  h->traces = trace_log_open(h->trace_path, 1, &s->e);
  h->gate = gate_new(h->loop, 0, h->traces);
  gate_server_limits(c, &limits);
  load_attach(g->scripts[0], h->gate);
  gate_adopt(h->gate, g);
  h->listener = listener_open(h->loop, "127.0.0.1:0", false, NULL, &limits, gate_service(), h->gate, &s->e);
  must(h->traces != NULL && h->listener != NULL);
}

/* Opens the gate with this policy on route r. */
static inline void stage_open(struct stage *s, const char *policy, uint16_t port) {
  stage_write(s, "policies/x.lua", policy);
  stage_open_with(s, stage_config(s, "x", port));
}

static inline void stage_close(struct stage *s) {
  house_done(&s->house);
}

/* The struct of the running generation's script. */
static inline struct script *stage_script(struct stage *s) {
  return s->house.gate->tenure->script;
}

#define STAGE_CHAT "{\"model\":\"r\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define STAGE_ANSWER                                                                                                   \
  "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"one\",\"choices\":[{\"index\":0,"   \
  "\"message\":{\"role\":\"assistant\",\"content\":\"hello\"},\"finish_reason\":\"stop\"}],"                           \
  "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}"

/* Posts a chat request for route r; returns the status, s->answer holds the body. */
static inline unsigned stage_ask(struct stage *s, const char *headers) {
  return ask(&s->house, "/v1/chat/completions", headers, STAGE_CHAT, NULL, &s->answer);
}

static inline bool stage_answered(const struct stage *s, const char *part) {
  if (has(buf_view(&s->answer), part)) return true;
  fprintf(stderr, "\"%s\" is not in: %.*s\n", part, (int)s->answer.len, s->answer.ptr);
  return false;
}

/* The process's part around the tests. */
__attribute__((constructor)) static void stage_begin(void) {
  struct err e = {""};
  upcall_library_init();
  must(load_start(&e));
  load_enter_thread();
}

__attribute__((destructor)) static void stage_end(void) {
  load_leave_thread();
  load_stop();
}

#endif
