/* What heads and chunks share: which bytes may stand where, and how a field is read (RFC 9110, 5). */

#ifndef TOLLKEEPER_FIELDS_H
#define TOLLKEEPER_FIELDS_H

#include <stdint.h>
#include <string.h>

static uint8_t TOKEN[256], VALUE[256], LOWER[256], TARGET[256], HOST[256];

static inline void make_tables(void) {
    const char *marks = "!#$%&'*+-.^_`|~";
    for (int i = 0; i < 256; i++) {
        int alnum = (i >= '0' && i <= '9') || (i >= 'A' && i <= 'Z') || (i >= 'a' && i <= 'z');
        TOKEN[i] = alnum || (i && i < 128 && strchr(marks, i) != NULL);
        VALUE[i] = i == 9 || (i >= 0x20 && i <= 0x7e) || i >= 0x80;
        LOWER[i] = (i >= 'A' && i <= 'Z') ? i + 32 : i;
        TARGET[i] = i >= 0x21 && i <= 0x7e && i != '#' && i != '\\';
        HOST[i] = alnum || i == '.' || i == '_' || i == '-';
    }
}

typedef struct { const uint8_t *at; Py_ssize_t size; } Span;

static inline int same(Span s, const char *lower, Py_ssize_t size) {
    if (s.size != size) return 0;
    for (Py_ssize_t i = 0; i < size; i++)
        if (LOWER[s.at[i]] != (uint8_t)lower[i]) return 0;
    return 1;
}
#define SAME(s, literal) same(s, literal, sizeof(literal) - 1)

static inline int starts(Span s, const char *lower, Py_ssize_t size) {
    return s.size >= size && same((Span){s.at, size}, lower, size);
}
#define STARTS(s, literal) starts(s, literal, sizeof(literal) - 1)

static inline Span stripped(Span s) {
    while (s.size && (s.at[0] == ' ' || s.at[0] == '\t')) { s.at++; s.size--; }
    while (s.size && (s.at[s.size - 1] == ' ' || s.at[s.size - 1] == '\t')) s.size--;
    return s;
}

/* Whether all of eight bytes may stand in a value, so that most of it need not be looked at one by one. */
static inline int eight_plain(const uint8_t *p) {
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t word, del;
    memcpy(&word, p, 8);
    del = word ^ ones * 0x7f;
    return !(((word - ones * 0x20) & ~word & tops) | ((del - ones) & ~del & tops));
}

/* Reads "name: value CRLF" at p; gives where the next line begins, NULL if it is none. */
static inline const uint8_t *read_field(const uint8_t *p, const uint8_t *end, Span *name, Span *value) {
    const uint8_t *start = p;
    while (p < end && TOKEN[*p]) p++;
    if (p == start || p >= end || *p != ':') return NULL;
    *name = (Span){start, p - start};
    start = ++p;
    while (end - p >= 8 && eight_plain(p)) p += 8;
    while (p < end && VALUE[*p]) p++;
    if (end - p < 2 || p[0] != '\r' || p[1] != '\n') return NULL;
    *value = stripped((Span){start, p - start});
    return p + 2;
}

/* The length a field announces; -1 if it is none. */
static inline long long length_of(Span s) {
    long long number = 0;
    if (s.size < 1 || s.size > 15) return -1;
    for (Py_ssize_t i = 0; i < s.size; i++) {
        if (s.at[i] < '0' || s.at[i] > '9') return -1;
        number = number * 10 + (s.at[i] - '0');
    }
    return number;
}

/* A host and perhaps a port, as a Host field has it. */
static inline int host_ok(Span s) {
    Py_ssize_t i = 0;
    if (s.size && s.at[0] == '[') {
        for (i = 1; i < s.size && s.at[i] != ']'; i++) {
            uint8_t c = LOWER[s.at[i]];
            if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == ':' || c == '.')) return 0;
        }
        if (i == 1 || i >= s.size) return 0;
        i++;
    } else {
        while (i < s.size && HOST[s.at[i]]) i++;
        if (!i) return 0;
    }
    if (i == s.size) return 1;
    if (s.at[i] != ':' || s.size - i < 2 || s.size - i > 6) return 0;
    for (i++; i < s.size; i++)
        if (s.at[i] < '0' || s.at[i] > '9') return 0;
    return 1;
}

/* One word of a list; moves the list on. False at its end. */
static inline int next_word(Span *list, Span *word) {
    if (list->size < 0) return 0;
    const uint8_t *comma = list->size ? memchr(list->at, ',', list->size) : NULL;
    Py_ssize_t size = comma ? comma - list->at : list->size;
    *word = stripped((Span){list->at, size});
    list->at += size + 1;
    list->size = comma ? list->size - size - 1 : -1;
    return 1;
}

#endif
