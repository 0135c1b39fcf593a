/* reload: the loader thread: builds generations from files, hands them to the workers, frees the ones that have
 * drained. A failure before the hand-over leaves the running generation untouched.
 *
 *   reload_now ─post─▶ loader: read, check, build ─▶ worker_adopt each ─▶ the last that adopted ─post─▶ main:
 * done(result) ▲                                                  old one drained ─post─▶ loader: free
 */
#ifndef MOONGATE_MAIN_RELOAD_H
#define MOONGATE_MAIN_RELOAD_H

#include "gate/generation.h"
#include "main/worker.h"

struct reload_result {
  bool ok, unchanged;
  uint32_t generation; /* that runs now */
  uint64_t read_us, build_us, swap_us;
  char error[1024];   /* with !ok */
  char changed[1024]; /* files that differ from the generation before, one a line */
  char restart[256];  /* keys whose change waits for a restart, comma-separated */
};

enum reload_kind { RELOAD_FILES, RELOAD_BACK /* the sources of the generation before */ };

struct reload_options {
  const char *config_file; /* NULL: from the environment */
  const char *config_text; /* instead of the file's, e.g. the demo's; NULL: none */
  const char *script_root;
  bool watch; /* look at the files twice a second, reload when one differs */
};

struct reloader;

/* Builds the first generation in the calling thread, so that a bad config ends the start. NULL: e tells. */
struct reloader *reloader_new(const struct reload_options *options, struct loop *main_loop, struct err *e);
const struct config *reloader_config(const struct reloader *r); /* the first generation's; valid until reloader_start */
unsigned reloader_workers(const struct reloader *r);            /* how many the first generation wants */
/* Starts the thread and hands the first generation to the workers. tls, NULL for none: its files are read again with
 * each reload; one that cannot be used refuses the reload. */
void reloader_start(struct reloader *r, struct worker *workers, unsigned count, struct tls_identity *tls);
/* Any thread; done(owner, result) on the main loop, once. owner may be NULL: the result is only logged. */
void reload_now(struct reloader *r, enum reload_kind kind,
                void (*done)(void *owner, const struct reload_result *result), void *owner);
uint32_t reloader_generation(const struct reloader *r);
/* After the workers have stopped: frees what they let go, ends the thread. */
void reloader_free(struct reloader *r);

#endif
