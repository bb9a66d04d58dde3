/*
 * Relation ("Logical Replication Message Formats"):
 *
 *   'R' id:u32 schema\0 table\0 identity:u8 count:u16, and for each column
 *   flags:u8 name\0 type:u32 modifier:u32
 *
 * A schema without a name is pg_catalog.
 */
#include "decode/relations.h"

#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "wire/cursor.h"

#define BOOLEAN     16 /* OID of the type */
#define FLAGS       1  /* bytes in front of a column's name */
#define TYPE        4  /* bytes behind it … */
#define BEHIND_NAME 8  /* … with the modifier */

static struct slice key_of(const struct relation_entry *entry)
{
    return (struct slice){(const char *)&entry->id, sizeof(entry->id)};
}

bool relations_begin(struct relations *relations, struct slice *text)
{
    struct slice schema, table;
    uint8_t identity;

    buffer_clear(&relations->name);
    buffer_clear(&relations->columns);
    relations->too_long = relations->in_name = false;
    relations->at = 0;
    if (!cursor_be32(text, &relations->id) || !cursor_string(text, &schema) ||
        !cursor_string(text, &table) || !cursor_u8(text, &identity) ||
        !cursor_be16(text, &relations->columns_left) || schema.len + table.len >= RAW_NAME_MAX) {
        return false;
    }
    if (schema.len == 0) {
        schema = slice_of("pg_catalog");
    }
    buffer_append(&relations->name, schema.data, schema.len);
    buffer_byte(&relations->name, '\0');
    buffer_append(&relations->name, table.data, table.len);
    return true;
}

/* Takes out the slot of an entry. */
static void drop(struct relations *relations, const struct relation_entry *entry)
{
    struct hashmap *map = &relations->map;

    for (size_t i = 0; i < map->cap; i++) {
        if (map->slots[i].value == entry) {
            relations->bytes -= sizeof(*entry) + entry->name.len + entry->columns.len;
            free(map->slots[i].value);
            hashmap_remove_at(map, i);
            return;
        }
    }
}

static void keep(struct relations *relations)
{
    struct slice key = {(const char *)&relations->id, sizeof(relations->id)};
    struct relation_entry *old = hashmap_get(&relations->map, key);
    size_t name_len = relations->name.len;
    size_t columns_len = relations->too_long ? 0 : relations->columns.len;
    size_t size = sizeof(*old) + name_len + columns_len;
    struct relation_entry *entry = NULL;

    if (old != NULL) {
        drop(relations, old);
    }
    if (!relations->name.failed && !relations->columns.failed &&
        size <= RELATIONS_BYTES_MAX - relations->bytes) {
        entry = malloc(size);
    }
    if (entry == NULL) {
        return;
    }
    entry->id = relations->id;
    entry->name = (struct slice){entry->text, name_len};
    entry->columns = (struct slice){entry->text + name_len, columns_len};
    memcpy(entry->text, relations->name.data, name_len);
    if (columns_len > 0) {
        memcpy(entry->text + name_len, relations->columns.data, columns_len);
    }
    if (hashmap_add(&relations->map, key_of(entry), entry)) {
        relations->bytes += size;
    } else {
        free(entry);
    }
}

static void end_column(struct relations *relations)
{
    relations->columns_left--;
    relations->at = 0;
    if (relations->type == BOOLEAN && !relations->too_long && !relations->columns.failed) {
        relations->columns.data[relations->letter] = 'b';
    }
}

static void take(struct relations *relations, char byte)
{
    if (relations->in_name) {
        buffer_byte(&relations->columns, byte);
        relations->in_name = byte != '\0';
    } else if (relations->at < FLAGS) {
        relations->too_long |= relations->columns.len > RELATION_COLUMNS_MAX;
        if (relations->too_long) {
            buffer_clear(&relations->columns);
        }
        relations->at++;
        relations->type = 0;
        relations->letter = relations->columns.len;
        buffer_byte(&relations->columns, ' ');
        relations->in_name = true;
    } else {
        if (relations->at < FLAGS + TYPE) {
            relations->type = relations->type << 8 | (unsigned char)byte;
        }
        if (++relations->at == FLAGS + BEHIND_NAME) {
            end_column(relations);
        }
    }
}

bool relations_more(struct relations *relations, struct slice *text)
{
    while (relations->columns_left > 0 && text->len > 0) {
        take(relations, text->data[0]);
        text->data++;
        text->len--;
    }
    if (relations->columns_left > 0) {
        return false;
    }
    keep(relations);
    return true;
}

const struct relation_entry *relations_find(const struct relations *relations, uint32_t id)
{
    return hashmap_get(&relations->map, (struct slice){(const char *)&id, sizeof(id)});
}

void relations_free(struct relations *relations)
{
    for (size_t i = 0; i < relations->map.cap; i++) {
        free(relations->map.slots[i].value);
    }
    hashmap_free(&relations->map);
    buffer_free(&relations->name);
    buffer_free(&relations->columns);
    *relations = (struct relations){.bytes = 0};
}
