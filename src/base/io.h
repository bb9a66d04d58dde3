/* What a non-blocking operation returns. */
#ifndef PGNUDGE_BASE_IO_H
#define PGNUDGE_BASE_IO_H

enum io {
    IO_DONE,  /* it is done (for a read or write: at least one byte moved) */
    IO_AGAIN, /* wait for the socket, then call again */
    IO_EOF,   /* the peer has closed the connection */
    IO_ERROR  /* the error says why */
};

#endif
