/* What --help and --version print. */
#ifndef PGNUDGE_CLI_HELP_H
#define PGNUDGE_CLI_HELP_H

extern const char help_text[];
extern const char version_text[];

#endif
