/* main: the commands. Each returns an exit status: 0 fine, 1 the answer is no, 64 wrong use, 69 unavailable, 78 bad
 * config. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/must.h"
#include "base/suggest.h"
#include "gate/account/meter.h"
#include "gate/account/trace.h"
#include "main/aws_credentials.h"
#include "main/config/config_dump.h"
#include "main/config/config_file.h"
#include "main/config/schema.h"
#include "main/control.h"
#include "main/drill/drill.h"
#include "main/kit.h"
#include "main/prices.h"
#include "main/reference.h"
#include "main/server.h"
#include "main/simulate/simulate.h"
#include "script/load.h"
#include "script/plain.h"

enum { WORDS_MAX = 64 };
enum { EXIT_NO = 1, EXIT_USE = 64, EXIT_UNAVAILABLE = 69, EXIT_CONFIG = 78 };

static const char usage[] =
    "moongate " MOONGATE_VERSION ": one gateway in front of many model providers\n"
    "\n"
    "  moongate run [--config FILE] [--dev] [--demo]   serve; --dev reloads changed files, --demo simulates providers\n"
    "  moongate check [--config FILE] [--dump]         check config and scripts; --dump shows what is in effect\n"
    "  moongate reload [--config FILE] [--back]        load config and scripts anew; --back: the generation before\n"
    "  moongate upgrade [--config FILE]                start the binary that is installed now, and let it take over\n"
    "  moongate status [--config FILE]                 what the running gateway is doing\n"
    "  moongate simulate [--help]                      serve simulated providers\n"
    "  moongate drill [--config FILE] [SCENARIO]…      what clients would see while simulated providers fail\n"
    "  moongate prices import FILE                     a public price list as Lua; see --help there\n"
    "  moongate aws-credentials < FILE                 the AWS access key that belongs to a virtual key\n"
    "  moongate new adapter NAME [--dialect NAME]      write adapters/NAME.lua and its spec\n"
    "  moongate test FILE…                             test adapter files, without a network\n"
    "  moongate reference config|endpoints|errors|losses|metrics|providers|script|trace\n"
    "                                                  a chapter of the manual, as Markdown; losses also as --json\n"
    "  moongate version\n"
    "\n"
    "Without --config, moongate.lua of this directory is used; without that, providers whose usual variable is set\n"
    "(OPENAI_API_KEY, ANTHROPIC_API_KEY). reload, status and upgrade take --admin ADDRESS, and MOONGATE_ADMIN_TOKEN.\n"
    "--root DIR: where lua/, policies/ and adapters/ are. --verbose: more on stderr.\n"
    "Exit status: 0 fine, 1 no, 64 wrong use, 69 unavailable, 78 bad config.\n";

struct arguments {
  const char *config, *admin, *dialect;
  const char *route, *rate, *patience; /* of a drill */
  const char *words[WORDS_MAX];        /* what is no option, in order */
  int word_count;
  char root[1024];
  bool dev, demo, dump, back, json;
  char **arguments; /* all, as main got them */
};

static int wrong_use(const char *what, const char *word) {
  fprintf(stderr, "moongate: %s \"%s\"; see `moongate --help`\n", what, word);
  return EXIT_USE;
}

/* lua/, policies/ and adapters/: beside the installed binary, or the source tree a build stands in. */
static bool find_root(char *out, size_t cap) {
  char exe[900];
  const char *given = getenv("MOONGATE_ROOT");
  static const char *const around[] = {"../share/moongate", "..", "../..", "."};
  ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (len < 0) return false;
  exe[len] = '\0';
  *strrchr(exe, '/') = '\0';
  for (int i = given ? -1 : 0; i < 4; i++) {
    char probe[1200], real[4096];
    if (i < 0) snprintf(out, cap, "%s", given);
    else snprintf(out, cap, "%s/%s", exe, around[i]);
    snprintf(probe, sizeof probe, "%s/lua/gw/api.lua", out);
    if (access(probe, R_OK) != 0) continue;
    if (realpath(out, real) != NULL && strlen(real) < cap) memcpy(out, real, strlen(real) + 1);
    return true;
  }
  return false;
}

static bool parse(int argc, char **argv, struct arguments *a, int *status) {
  for (int i = 2; i < argc; i++) {
    const char **value = NULL;
    if (strcmp(argv[i], "--config") == 0 || strcmp(argv[i], "-c") == 0) value = &a->config;
    else if (strcmp(argv[i], "--admin") == 0) value = &a->admin;
    else if (strcmp(argv[i], "--dialect") == 0) value = &a->dialect;
    else if (strcmp(argv[i], "--route") == 0) value = &a->route;
    else if (strcmp(argv[i], "--rate") == 0) value = &a->rate;
    else if (strcmp(argv[i], "--patience") == 0) value = &a->patience;
    else if (strcmp(argv[i], "--json") == 0) a->json = true;
    else if (strcmp(argv[i], "--dev") == 0) a->dev = true;
    else if (strcmp(argv[i], "--demo") == 0) a->demo = true;
    else if (strcmp(argv[i], "--dump") == 0) a->dump = true;
    else if (strcmp(argv[i], "--back") == 0) a->back = true;
    else if (strcmp(argv[i], "--verbose") == 0) log_threshold(LOG_DEBUG);
    else if (strcmp(argv[i], "--root") == 0 && i + 1 < argc) snprintf(a->root, sizeof a->root, "%s", argv[++i]);
    else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
      return *status = fputs(usage, stdout) < 0, false;
    else if (argv[i][0] != '-' && a->word_count < WORDS_MAX) a->words[a->word_count++] = argv[i];
    else return *status = wrong_use("unknown option", argv[i]), false;
    if (value == NULL) continue;
    if (i + 1 == argc) return *status = wrong_use("a value is missing behind", argv[i]), false;
    *value = argv[++i];
  }
  if (a->config == NULL && !a->demo && access("moongate.lua", R_OK) == 0) a->config = "moongate.lua";
  if (a->root[0] == '\0' && !find_root(a->root, sizeof a->root)) {
    fprintf(stderr, "moongate: lua/, policies/ and adapters/ are not where this binary looks for them; name their "
                    "directory with --root or MOONGATE_ROOT\n");
    return *status = EXIT_UNAVAILABLE, false;
  }
  return true;
}

static int run(struct arguments *a) {
  struct server_options options = {.config_file = a->demo ? NULL : a->config,
                                   .script_root = a->root,
                                   .watch = a->dev,
                                   .demo = a->demo,
                                   .arguments = a->arguments};
  return server_run(&options);
}

static void warn_of_route(const struct route *r) {
  bool can = r->recover != RECOVER_CONTINUE;
  for (uint32_t i = 0; i < r->target_count; i++) can = can || recover_can_continue(r->targets[i]);
  if (!can)
    fprintf(stderr, "warning: routes.%s: recover: none of its targets has the capability prefill, so none continues\n",
            r->name);
}

static bool is_known(const struct config *c, struct slice model) {
  ptrdiff_t slash = slice_find_byte(model, '/');
  if (config_route(c, model) != NULL || config_owner_of(c, model) != NULL) return true;
  return slash > 0 && config_provider(c, slice_of(model.ptr, (size_t)slash)) != NULL;
}

/* A slip in there is found by the first client otherwise, as a 403. */
static void warn_of_key(const struct config *c, const struct key *k) {
  const char *names[256];
  size_t count = 0;
  for (uint32_t i = 0; i < c->route_count && count < 256; i++) names[count++] = c->routes[i]->name;
  for (uint32_t i = 0; i < c->target_count && count < 256; i++) names[count++] = c->targets[i]->name.ptr;
  for (char **model = k->models; model != NULL && *model != NULL; model++) {
    if (is_known(c, slice_text(*model))) continue;
    const char *near = suggest_nearest(*model, names, count);
    fprintf(stderr, "warning: key %s: models: there is no route or model \"%s\"%s%s%s\n", k->name, *model,
            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
  }
}

static int check(struct arguments *a) {
  struct err e;
  struct sources *sources = sources_new();
  int status = EXIT_CONFIG;
  if (!load_start(&e)) {
    fprintf(stderr, "moongate: %s\n", e.text);
    return EXIT_UNAVAILABLE;
  }
  load_enter_thread();
  struct config *c = config_file_load(a->config, a->root, sources, &e);
  struct load_options options = {.script_root = a->root, .sources = sources, .number = 1, .workers = 1};
  struct generation *g = c ? load_generation(c, &options, &e) : NULL;
  if (g == NULL) {
    fprintf(stderr, "%s\n", e.text);
  } else {
    status = 0;
    if (a->dump) {
      struct buf out = {0};
      config_dump(g->config, &out);
      fwrite(out.ptr, 1, out.len, stdout);
      buf_done(&out);
    }
    for (uint32_t i = 0; i < g->config->target_count; i++)
      if (g->config->targets[i]->price == NULL || g->config->targets[i]->price->estimate)
        fprintf(stderr,
                "warning: %s has no price: %s, and moongate_unpriced_attempts_total will tell; add it to `prices`\n",
                g->config->targets[i]->name.ptr,
                g->config->deny_unpriced ? "it will not be called" : "estimate_price will be counted");
    for (uint32_t i = 0; i < g->config->route_count; i++) warn_of_route(g->config->routes[i]);
    uint32_t keys = g->config->keys ? key_table_count(g->config->keys) : 0;
    for (uint32_t i = 0; i < keys; i++) warn_of_key(g->config, key_table_at(g->config->keys, i));
    fprintf(stderr, "%s: fine: %u provider%s, %u route%s, %u key%s\n", a->config ? a->config : "environment",
            g->config->provider_count, g->config->provider_count == 1 ? "" : "s", g->config->route_count,
            g->config->route_count == 1 ? "" : "s", keys, keys == 1 ? "" : "s");
    load_generation_free(g);
  }
  load_leave_thread();
  load_stop();
  sources_unref(sources);
  return status;
}

/* The admin address: as named, or the config's, or the default. */
static const char *admin_address(struct arguments *a, char *out, size_t cap) {
  struct err e;
  struct sources *sources = sources_new();
  struct value *tree = a->config != NULL ? plain_load(a->config, sources, &e) : NULL;
  const struct value *admin = value_get(tree, "admin"), *token = value_get(admin, "token");
  snprintf(out, cap, "%s", a->admin ? a->admin : schema_text(admin, "admin.listen"));
  if (token != NULL && getenv("MOONGATE_ADMIN_TOKEN") == NULL) {
    struct slice bytes = token->kind == VALUE_SECRET ? token->secret : token->text;
    if (bytes.ptr != NULL) setenv("MOONGATE_ADMIN_TOKEN", bytes.ptr, 1);
  }
  value_free(tree);
  sources_unref(sources);
  return out;
}

static int control(struct arguments *a, const char *method, const char *target) {
  char address[256];
  unsigned status = 0;
  struct buf out = {0};
  struct err e;
  if (!control_call(admin_address(a, address, sizeof address), method, target, &status, &out, &e)) {
    fprintf(stderr, "moongate: %s\n", e.text);
    buf_done(&out);
    return EXIT_UNAVAILABLE;
  }
  fwrite(out.ptr, 1, out.len, stdout);
  buf_done(&out);
  return status == 200 ? 0 : EXIT_NO;
}

static int make_new(struct arguments *a) {
  if (a->word_count == 0 || strcmp(a->words[0], "adapter") != 0)
    return wrong_use("what is to be made? `moongate new adapter NAME`, not", a->word_count ? a->words[0] : "");
  if (a->word_count != 2) return wrong_use("an adapter needs one name, behind", "new adapter");
  return kit_new_adapter(a->words[1], a->dialect) ? 0 : EXIT_NO;
}

static int test_files(struct arguments *a) {
  if (a->word_count == 0) return wrong_use("an adapter's file is missing behind", "test");
  return kit_test_files(a->root, a->words, a->word_count) ? 0 : EXIT_NO;
}

int main(int argc, char **argv) {
  static const char *const commands[] = {"run",  "check",           "reload",  "status",    "new",
                                         "test", "simulate",        "prices",  "reference", "version",
                                         "help", "aws-credentials", "upgrade", "drill"};
  struct arguments a = {.arguments = argv};
  int status = 0;
  const char *command = argc > 1 ? argv[1] : "help";
  if (strcmp(command, "simulate") == 0) return simulate_main(argc - 1, argv + 1);
  if (strcmp(command, "prices") == 0) return prices_main(argc - 1, argv + 1);
  if (strcmp(command, "aws-credentials") == 0) return aws_credentials_main(argc - 1, argv + 1);
  if (strcmp(command, "help") == 0 || strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0)
    return fputs(usage, stdout) < 0;
  if (strcmp(command, "version") == 0 || strcmp(command, "--version") == 0)
    return printf("moongate %s\n", MOONGATE_VERSION) < 0;
  const char *near = suggest_nearest(command, commands, sizeof commands / sizeof *commands);
  if (near == NULL || strcmp(near, command) != 0) {
    fprintf(stderr, "moongate: there is no command \"%s\"%s%s%s; see `moongate --help`\n", command,
            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return EXIT_USE;
  }
  if (!parse(argc, argv, &a, &status)) return status;
  if (strcmp(command, "new") == 0) return make_new(&a);
  if (strcmp(command, "test") == 0) return test_files(&a);
  if (strcmp(command, "drill") == 0)
    return drill_run(&(struct drill_options){a.config, a.root, a.words, a.word_count, a.route, a.rate, a.patience});
  if (strcmp(command, "reference") == 0) {
    return reference_write(a.word_count > 0 ? a.words[0] : "", a.json, a.root) ? 0 : EXIT_USE;
  }
  if (a.word_count > 0) return wrong_use("unexpected word", a.words[0]);
  if (strcmp(command, "run") == 0) return run(&a);
  if (strcmp(command, "check") == 0) return check(&a);
  if (strcmp(command, "reload") == 0) return control(&a, "POST", a.back ? "/reload?back=1" : "/reload");
  if (strcmp(command, "upgrade") == 0) return control(&a, "POST", "/upgrade");
  must(strcmp(command, "status") == 0);
  return control(&a, "GET", "/status");
}
