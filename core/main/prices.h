/* prices: the command `moongate prices`. Main thread. */
#ifndef MOONGATE_MAIN_PRICES_H
#define MOONGATE_MAIN_PRICES_H

/* argv[0] is "prices". Returns the exit status. */
int prices_main(int argc, char **argv);

#endif
