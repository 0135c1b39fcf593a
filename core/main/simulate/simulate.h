/* simulate: the command `moongate simulate`, which serves simulated providers for development, tests, benchmarks and
 * the quickstart. Main thread; starts its own workers and joins them before it returns. */
#ifndef MOONGATE_MAIN_SIMULATE_H
#define MOONGATE_MAIN_SIMULATE_H

/* argv[0] is the word "simulate". Prints "simulate: listening on ADDRESS:PORT" to stdout when ready and runs until
 * SIGTERM or SIGINT. Returns the exit status: 0, 64 for a wrong option, 69 when it cannot listen. */
int simulate_main(int argc, char **argv);

#endif
