/* How far an operation made of several steps has come. */
#ifndef PGNUDGE_BASE_STEP_H
#define PGNUDGE_BASE_STEP_H

enum step {
    STEP_WAIT, /* poll, then call again */
    STEP_DONE,
    STEP_FAILED /* the error says why */
};

#endif
