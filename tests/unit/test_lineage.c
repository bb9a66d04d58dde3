/* What stands above what, at any depth. */
#include "tables/lineage.h"

#include "check.h"

/* A relation's OID is the sum of its name's letters here; that is unique enough. */
static uint32_t oid_of(const char *name)
{
    uint32_t oid = 0;

    while (*name != '\0') {
        oid = oid * 31 + (unsigned char)*name++;
    }
    return oid;
}

static struct edge edge(const char *child, const char *parent)
{
    return (struct edge){oid_of(child), oid_of(parent), {slice_of("s"), slice_of(parent)}};
}

/* The lineage's tables in its order, each with those above it: "leaf<mid,root mid<root root". */
static void describe(const char *table, const struct edge *edges, size_t count, struct buffer *out)
{
    struct relation relation = {slice_of("s"), slice_of(table)};
    struct lineage lineage;

    lineage_build(&lineage, &relation, oid_of(table), edges, count);
    CHECK(!lineage.truncated);
    buffer_clear(out);
    for (size_t i = 0; i < lineage.len; i++) {
        const char *comma = "<";

        CHECK_SLICE(lineage.at[i].schema, slice_of("s"));
        buffer_text(out, i > 0 ? " " : "");
        buffer_append(out, lineage.at[i].table.data, lineage.at[i].table.len);
        for (size_t j = 0; j < lineage.len; j++) {
            if ((lineage.above[i] >> j & 1) != 0) {
                buffer_text(out, comma);
                buffer_append(out, lineage.at[j].table.data, lineage.at[j].table.len);
                comma = ",";
            }
        }
    }
}

#define LINEAGE(table, edges, expected)                                                            \
    do {                                                                                           \
        struct buffer text = {0};                                                                  \
                                                                                                   \
        describe((table), (edges), COUNT_OF(edges), &text);                                        \
        CHECK_BUFFER(text, (expected));                                                            \
        buffer_free(&text);                                                                        \
    } while (0)

static void alone(void)
{
    struct edge edges[] = {edge("b", "c")};

    LINEAGE("a", edges, "a");
    LINEAGE("c", edges, "c");
}

static void deep(void)
{
    struct edge edges[] = {edge("low", "mid"), edge("mid", "root"), edge("leaf", "low")};

    LINEAGE("leaf", edges, "leaf<low,mid,root low<mid,root mid<root root");
    LINEAGE("mid", edges, "mid<root root");
    LINEAGE("root", edges, "root");
}

static void several_parents(void)
{
    struct edge edges[] = {edge("c", "a"), edge("c", "b"), edge("b", "top"), edge("d", "c")};

    LINEAGE("c", edges, "c<a,b,top a b<top top");
    LINEAGE("d", edges, "d<c,a,b,top c<a,b,top a b<top top");
}

static void diamond(void)
{
    struct edge edges[] = {edge("leaf", "left"), edge("leaf", "right"), edge("left", "root"),
                           edge("right", "root"), edge("leaf", "root")};

    LINEAGE("leaf", edges, "leaf<left,right,root left<root right<root root");
}

/* The server allows none; a catalog read in the midst of changes might show one. */
static void cycles(void)
{
    struct edge edges[] = {edge("self", "self"), edge("a", "b"), edge("b", "c"), edge("c", "a")};

    LINEAGE("self", edges, "self<self");
    LINEAGE("a", edges, "a<a,b,c b<a,b,c c<a,b,c");
}

static void too_long(void)
{
    struct edge chain[2 * LINEAGE_MAX];
    struct relation first = {slice_of("s"), slice_of("first")};
    struct lineage lineage;

    for (uint32_t i = 0; i < COUNT_OF(chain); i++) {
        chain[i] = (struct edge){1000 + i, 1001 + i, {slice_of("s"), slice_of("above")}};
    }
    lineage_build(&lineage, &first, 1000, chain, LINEAGE_MAX - 1);
    CHECK_INT(lineage.len, LINEAGE_MAX);
    CHECK(!lineage.truncated);
    CHECK(lineage.above[0] == ~UINT64_C(1));
    lineage_build(&lineage, &first, 1000, chain, LINEAGE_MAX);
    CHECK_INT(lineage.len, LINEAGE_MAX);
    CHECK(lineage.truncated);
    lineage_build(&lineage, &first, 1000, chain, COUNT_OF(chain));
    CHECK(lineage.truncated);
}

static const struct check_test tests[] = {
    {"a table without parents is alone", alone},
    {"all that stands above it, and above that", deep},
    {"several parents", several_parents},
    {"two ways to one table give it once", diamond},
    {"cycles end", cycles},
    {"more than LINEAGE_MAX are cut, which shows", too_long},
};

CHECK_MAIN(tests)
