/* server: `moongate run`: the process. Main thread: signals, the admin port, the order of start and stop. */
#ifndef MOONGATE_MAIN_SERVER_H
#define MOONGATE_MAIN_SERVER_H

#include <stdbool.h>

struct server_options {
  const char *config_file; /* NULL: from the environment */
  const char *config_text; /* what it holds, when it is not to be read; NULL: read it */
  const char *script_root;
  bool watch;       /* --dev */
  bool demo;        /* simulated providers, started as a child process */
  char **arguments; /* of main, for an upgrade */
};

/* Runs until SIGTERM or SIGINT. Exit status: 0, 78 for a bad config, 69 when a port cannot be had. */
int server_run(const struct server_options *options);

#endif
