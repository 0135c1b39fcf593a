/* aws_credentials: the command that tells which AWS access key belongs to a virtual key. It reads no config: who holds
 * the key can work the pair out. The main thread. */
#ifndef MOONGATE_MAIN_AWS_CREDENTIALS_H
#define MOONGATE_MAIN_AWS_CREDENTIALS_H

/* The virtual key is read from standard input, so that it is on no command line. An exit status. */
int aws_credentials_main(int argc, char **argv);

#endif
