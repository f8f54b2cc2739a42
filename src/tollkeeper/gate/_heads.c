/* The compiled twin of heads.py and chunks.py: same functions, same answers. Read those for what and why;
   tests/gate/test_heads_twins.py holds the two against each other. Only the C API of Python is used. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

enum {
    KEEP = 1, CHUNKED = 2, EXPECT = 4, UPGRADE = 8, HEAD = 16, HTTP10 = 32, NO_BODY = 64,
    UNTIL_CLOSE = 128, ORIGIN = 256, JSON = 512, EVENTS = 1024, ENCODED = 2048, CACHED = 4096
};
#define MAX_SIZE_LINE 256
#define MAX_TRAILERS 8192

static uint8_t TOKEN[256], VALUE[256], LOWER[256], TARGET[256], HOST[256];

static void make_tables(void) {
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

static int same(Span s, const char *lower, Py_ssize_t size) {
    if (s.size != size) return 0;
    for (Py_ssize_t i = 0; i < size; i++)
        if (LOWER[s.at[i]] != (uint8_t)lower[i]) return 0;
    return 1;
}
#define SAME(s, literal) same(s, literal, sizeof(literal) - 1)

static int starts(Span s, const char *lower, Py_ssize_t size) {
    return s.size >= size && same((Span){s.at, size}, lower, size);
}
#define STARTS(s, literal) starts(s, literal, sizeof(literal) - 1)

static Span stripped(Span s) {
    while (s.size && (s.at[0] == ' ' || s.at[0] == '\t')) { s.at++; s.size--; }
    while (s.size && (s.at[s.size - 1] == ' ' || s.at[s.size - 1] == '\t')) s.size--;
    return s;
}

/* The length a field announces; -1 if it is none. */
static long long length_of(Span s) {
    long long number = 0;
    if (s.size < 1 || s.size > 15) return -1;
    for (Py_ssize_t i = 0; i < s.size; i++) {
        if (s.at[i] < '0' || s.at[i] > '9') return -1;
        number = number * 10 + (s.at[i] - '0');
    }
    return number;
}

static int host_ok(Span s) {
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
static int next_word(Span *list, Span *word) {
    if (list->size < 0) return 0;
    const uint8_t *comma = list->size ? memchr(list->at, ',', list->size) : NULL;
    Py_ssize_t size = comma ? comma - list->at : list->size;
    *word = stripped((Span){list->at, size});
    list->at += size + 1;
    list->size = comma ? list->size - size - 1 : -1;
    return 1;
}

/* Whether all of eight bytes may stand in a value, so that most of it need not be looked at one by one. */
static int eight_plain(const uint8_t *p) {
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t word, del;
    memcpy(&word, p, 8);
    del = word ^ ones * 0x7f;
    return !(((word - ones * 0x20) & ~word & tops) | ((del - ones) & ~del & tops));
}

/* Where a head ends: the offset of its CRLFCRLF; -1 if it is not whole. */
static Py_ssize_t head_end(const uint8_t *base, Py_ssize_t size) {
    if (size < 4) return -1;
    const uint8_t *p = base, *end = base + size - 3;
    while (p < end && (p = memchr(p, '\r', end - p)) != NULL) {
        if (p[1] == '\n' && p[2] == '\r' && p[3] == '\n') return p - base;
        p++;
    }
    return -1;
}

/* What is written anew, on the stack where it fits: two parts, each with room for all of a head. */
typedef struct { uint8_t *first, *second, *heap; uint8_t small[8192]; } Scratch;

static int scratch_for(Scratch *s, Py_ssize_t size) {
    size += 64; /* a length written anew may be longer than it was */
    s->heap = 2 * size > (Py_ssize_t)sizeof s->small ? PyMem_Malloc(2 * size) : NULL;
    s->first = s->heap != NULL ? s->heap : s->small;
    s->second = s->first + size;
    if (s->heap == NULL && 2 * size > (Py_ssize_t)sizeof s->small) { PyErr_NoMemory(); return 0; }
    return 1;
}

static PyObject *bytes_of(const uint8_t *at, Py_ssize_t size) {
    return PyBytes_FromStringAndSize((const char *)at, size);
}

static uint8_t *put_field(uint8_t *o, const uint8_t *line, Py_ssize_t size) {
    o[0] = '\r'; o[1] = '\n';
    memcpy(o + 2, line, size);
    return o + 2 + size;
}

static uint8_t *put_length(uint8_t *o, long long length) {
    uint8_t digits[16];
    int n = 0;
    do digits[n++] = '0' + length % 10; while (length /= 10);
    o = put_field(o, (const uint8_t *)"Content-Length: ", 16);
    while (n) *o++ = digits[--n];
    return o;
}

static uint8_t *put_chunked(uint8_t *o) { return put_field(o, (const uint8_t *)"Transfer-Encoding: chunked", 26); }

/* Sets an item of a tuple that is being made. False, with an error set, if there is nothing to set. */
static int set(PyObject *tuple, int at, PyObject *item) {
    if (item == NULL) return 0;
    PyTuple_SET_ITEM(tuple, at, item);
    return 1;
}

/* Reads "name: value CRLF" at p; gives where the next line begins, NULL if it is none. */
static const uint8_t *read_field(const uint8_t *p, const uint8_t *end, Span *name, Span *value) {
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

static int revealing(Span n) {
    switch (LOWER[n.at[0]]) {
    case 'k': return SAME(n, "keep-alive");
    case 't': return SAME(n, "te") || SAME(n, "true-client-ip") || STARTS(n, "tollkeeper-");
    case 'p': return STARTS(n, "proxy-");
    case 'h': return SAME(n, "http2-settings");
    case 'c': return SAME(n, "cookie") || SAME(n, "cookie2") || SAME(n, "cf-connecting-ip");
    case 'f': return SAME(n, "forwarded") || SAME(n, "from") || SAME(n, "fastly-client-ip");
    case 'v': return SAME(n, "via");
    case 'r': return SAME(n, "referer");
    case 'o': return SAME(n, "openai-organization") || SAME(n, "openai-project");
    case 'x':
        return STARTS(n, "x-forwarded-") || STARTS(n, "x-original-") || SAME(n, "x-real-ip")
            || SAME(n, "x-client-ip") || SAME(n, "x-cluster-client-ip") || SAME(n, "x-request-id");
    default: return 0;
    }
}

static PyObject *credential_of(PyObject *known, Span value, int *conflict) {
    if (known != NULL) {
        if (PyBytes_GET_SIZE(known) != value.size || memcmp(PyBytes_AS_STRING(known), value.at, value.size))
            *conflict = 1;
        return known;
    }
    return PyBytes_FromStringAndSize((const char *)value.at, value.size);
}

static PyObject *parse_request(PyObject *module, PyObject *data) {
    if (!PyBytes_Check(data)) {
        PyErr_SetString(PyExc_TypeError, "parse_request(data: bytes)");
        return NULL;
    }
    const uint8_t *base = (const uint8_t *)PyBytes_AS_STRING(data);
    Py_ssize_t head_size = head_end(base, PyBytes_GET_SIZE(data));
    if (head_size < 0) return PyLong_FromLong(0);
    const uint8_t *p = base, *end = base + head_size + 2;
    int flags = 0, hosts = 0, bad_key = 0, bad_expect = 0, conflict = 0, asked = 0, named = 0;
    long long length = -1;

    while (p < end && TOKEN[*p]) p++;
    Span method = {base, p - base};
    if (!method.size || method.size > 20 || p >= end || *p != ' ') return PyLong_FromLong(400);
    Span target = {++p, 0};
    if (p >= end || *p != '/') return PyLong_FromLong(400);
    while (p < end && TARGET[*p]) p++;
    target.size = p - target.at;
    if (end - p < 11 || memcmp(p, " HTTP/1.", 8) || (p[8] != '0' && p[8] != '1') || p[9] != '\r' || p[10] != '\n')
        return PyLong_FromLong(400);
    flags = p[8] == '1' ? KEEP : HTTP10;
    if (method.size == 4 && !memcmp(base, "HEAD", 4)) flags |= HEAD;
    p += 11;

    Scratch scratch;
    PyObject *credential = NULL, *result = NULL;
    if (!scratch_for(&scratch, end - p)) return NULL;
    uint8_t *o = scratch.first, *r = scratch.second;
    while (p < end) {
        Span name, value, word;
        const uint8_t *line = p;
        p = read_field(p, end, &name, &value);
        if (p == NULL) goto refuse;
        int keep = 1;
        switch (name.size) {
        case 4:
            if (SAME(name, "host")) { keep = 0; hosts++; if (!host_ok(value)) goto refuse; }
            break;
        case 13:
            if (SAME(name, "authorization")) {
                keep = 0;
                if (!STARTS(value, "bearer ")) { bad_key = 1; break; }
                value = stripped((Span){value.at + 7, value.size - 7});
                credential = credential_of(credential, value, &conflict);
                if (credential == NULL) goto done;
            }
            break;
        case 7:
            if (SAME(name, "api-key")) {
                keep = 0;
                credential = credential_of(credential, value, &conflict);
                if (credential == NULL) goto done;
            } else if (SAME(name, "upgrade")) { keep = 0; asked = SAME(value, "websocket"); }
            break;
        case 9:
            if (SAME(name, "x-api-key")) {
                keep = 0;
                credential = credential_of(credential, value, &conflict);
                if (credential == NULL) goto done;
            }
            break;
        case 14:
            if (SAME(name, "content-length")) {
                keep = 0;
                if (length >= 0 || flags & CHUNKED || (length = length_of(value)) < 0) goto refuse;
            }
            break;
        case 17:
            if (SAME(name, "transfer-encoding")) {
                keep = 0;
                if (length >= 0 || flags & (CHUNKED | HTTP10) || !SAME(value, "chunked")) goto refuse;
                flags |= CHUNKED;
            }
            break;
        case 15:
            if (SAME(name, "accept-encoding")) {
                keep = 0;
                r = put_field(r, (const uint8_t *)"Accept-Encoding:", 16);
                memcpy(r, line + 16, p - 2 - line - 16);
                r += p - 2 - line - 16;
            }
            break;
        case 10:
            if (SAME(name, "connection")) {
                keep = 0;
                while (next_word(&value, &word)) {
                    if (SAME(word, "close")) flags &= ~KEEP;
                    else if (SAME(word, "keep-alive")) { if (flags & HTTP10) flags |= KEEP; }
                    else if (SAME(word, "upgrade")) named = 1;
                    else if (word.size && !SAME(word, "te") && !SAME(word, "http2-settings")
                             && !SAME(word, "proxy-connection") && !SAME(word, "trailer")) goto refuse;
                }
            }
            break;
        case 6:
            if (SAME(name, "expect")) {
                keep = 0;
                flags |= EXPECT;
                if (!SAME(value, "100-continue")) bad_expect = 1;
            } else if (SAME(name, "origin")) { keep = 0; flags |= ORIGIN; }
            break;
        case 16:
            if (SAME(name, "content-encoding")) flags |= ENCODED;
            break;
        }
        if (keep && !revealing(name)) o = put_field(o, line, p - 2 - line);
    }
    if (conflict || (hosts != 1 && !(flags & HTTP10 && hosts == 0))) goto refuse;
    if (bad_key || bad_expect) {
        result = PyLong_FromLong(bad_expect ? 417 : 401);
        goto done;
    }
    if (asked && named && !(flags & HTTP10)) flags |= UPGRADE;
    if (length >= 0) r = put_length(r, length);
    else if (flags & CHUNKED) r = put_chunked(r);
    if ((result = PyTuple_New(8)) == NULL) goto done;
    if (!set(result, 0, PyLong_FromLong(flags)) || !set(result, 1, bytes_of(method.at, method.size))
        || !set(result, 2, bytes_of(target.at, target.size)) || !set(result, 4, PyLong_FromLongLong(length))
        || !set(result, 5, bytes_of(scratch.first, o - scratch.first))
        || !set(result, 6, bytes_of(scratch.second, r - scratch.second))
        || !set(result, 7, PyLong_FromSsize_t(head_size))) {
        Py_CLEAR(result);
        goto done;
    }
    PyTuple_SET_ITEM(result, 3, credential != NULL ? credential : Py_NewRef(Py_None));
    credential = NULL;
    goto done;
refuse:
    result = PyLong_FromLong(400);
done:
    Py_XDECREF(credential);
    PyMem_Free(scratch.heap);
    return result;
}

static int internal_field(Span n) {
    switch (LOWER[n.at[0]]) {
    case 'k': return SAME(n, "keep-alive");
    case 'p': return STARTS(n, "proxy-");
    case 's': return SAME(n, "server") || SAME(n, "set-cookie") || SAME(n, "set-cookie2");
    case 'u': return SAME(n, "upgrade");
    case 't': return SAME(n, "te");
    case 'v': return SAME(n, "via");
    case 'r': return SAME(n, "ratelimit") || STARTS(n, "ratelimit-");
    case 'a': return SAME(n, "alt-svc") || STARTS(n, "access-control-");
    case 'x': return SAME(n, "x-powered-by") || SAME(n, "x-request-id") || STARTS(n, "x-ratelimit-");
    default: return 0;
    }
}

static PyObject *parse_response(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    if (count != 2 || !PyBytes_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "parse_response(data: bytes, was_head: bool)");
        return NULL;
    }
    const uint8_t *base = (const uint8_t *)PyBytes_AS_STRING(args[0]);
    int was_head = PyObject_IsTrue(args[1]);
    Py_ssize_t head_size = head_end(base, PyBytes_GET_SIZE(args[0]));
    if (head_size < 0) return PyLong_FromLong(0);
    const uint8_t *p = base, *end = base + head_size + 2;
    if (end - p < 14 || memcmp(p, "HTTP/1.", 7) || (p[7] != '0' && p[7] != '1') || p[8] != ' ')
        return PyLong_FromLong(502);
    if (p[9] < '1' || p[9] > '9' || p[10] < '0' || p[10] > '9' || p[11] < '0' || p[11] > '9')
        return PyLong_FromLong(502);
    int status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
    int flags = p[7] == '1' ? KEEP : HTTP10;
    p += 12;
    if (*p == ' ') while (p < end && VALUE[*p]) p++;
    if (end - p < 2 || p[0] != '\r' || p[1] != '\n') return PyLong_FromLong(502);

    Scratch scratch;
    PyObject *result = NULL;
    if (!scratch_for(&scratch, end - base)) return NULL;
    uint8_t *o = scratch.first, *r = scratch.second;
    memcpy(o, "HTTP/1.1", 8);
    memcpy(o + 8, base + 8, p - base - 8);
    o += p - base;
    p += 2;
    long long length = -1;
    while (p < end) {
        Span name, value, word;
        const uint8_t *line = p;
        p = read_field(p, end, &name, &value);
        if (p == NULL) goto unbelievable;
        int keep = 1;
        switch (name.size) {
        case 14:
            if (SAME(name, "content-length")) {
                keep = 0;
                if (length >= 0 || flags & CHUNKED || (length = length_of(value)) < 0) goto unbelievable;
                r = put_length(r, length);
            }
            break;
        case 17:
            if (SAME(name, "transfer-encoding")) {
                keep = 0;
                if (length >= 0 || flags & (CHUNKED | HTTP10) || !SAME(value, "chunked")) goto unbelievable;
                flags |= CHUNKED;
                r = put_chunked(r);
            }
            break;
        case 10:
            if (SAME(name, "connection")) {
                keep = 0;
                while (next_word(&value, &word)) {
                    if (SAME(word, "close")) flags &= ~KEEP;
                    else if (SAME(word, "keep-alive") && flags & HTTP10) flags |= KEEP;
                }
            }
            break;
        case 12:
            if (SAME(name, "content-type")) {
                if (STARTS(value, "text/event-stream")) flags |= EVENTS;
                else if (STARTS(value, "application/json")) flags |= JSON;
            }
            break;
        case 16:
            if (SAME(name, "content-encoding") && !SAME(value, "identity")) flags |= ENCODED;
            break;
        case 7:
            if (SAME(name, "x-cache") && STARTS(value, "hit")) flags |= CACHED;
            break;
        case 15:
            if (SAME(name, "cf-cache-status") && STARTS(value, "hit")) flags |= CACHED;
            break;
        }
        if (keep && !internal_field(name)) o = put_field(o, line, p - 2 - line);
    }
    if (was_head || status < 200 || status == 204 || status == 304) {
        flags |= NO_BODY;
        if (status < 200 || status == 204) {
            if (flags & CHUNKED) goto unbelievable;
            r = scratch.second;
        }
    } else if (!(flags & CHUNKED) && length < 0) {
        flags = (flags | UNTIL_CLOSE) & ~KEEP;
    }
    if ((result = PyTuple_New(6)) == NULL) goto done;
    if (!set(result, 0, PyLong_FromLong(flags)) || !set(result, 1, PyLong_FromLong(status))
        || !set(result, 2, PyLong_FromLongLong(length))
        || !set(result, 3, bytes_of(scratch.first, o - scratch.first))
        || !set(result, 4, bytes_of(scratch.second, r - scratch.second))
        || !set(result, 5, PyLong_FromSsize_t(head_size)))
        Py_CLEAR(result);
    goto done;
unbelievable:
    result = PyLong_FromLong(502);
done:
    PyMem_Free(scratch.heap);
    return result;
}

/* ---- chunked framing ---- */

enum { SIZE, DATA, DATA_END, TRAILERS };

typedef struct {
    PyObject_HEAD
    int state;
    long long left;
    Py_ssize_t trailers;
    uint8_t *line; /* an unfinished line; allocated when there is one */
    Py_ssize_t line_size;
} Chunks;

static Py_ssize_t quoted_end(const uint8_t *line, Py_ssize_t i, Py_ssize_t size) {
    for (i++; i < size; i++) {
        if (line[i] == '"') return i + 1;
        if (line[i] == '\\') i++;
        if (i >= size || !VALUE[line[i]]) return -1;
    }
    return -1;
}

/* The size a line announces; -1 if it is no size line. */
static long long size_of(const uint8_t *line, Py_ssize_t size) {
    long long number = 0;
    Py_ssize_t i = 0;
    if (size > MAX_SIZE_LINE) return -1;
    for (; i < size && i < 12; i++) {
        uint8_t c = LOWER[line[i]];
        if (c >= '0' && c <= '9') number = number * 16 + (c - '0');
        else if (c >= 'a' && c <= 'f') number = number * 16 + (c - 'a' + 10);
        else break;
    }
    if (!i) return -1;
    while (i < size && line[i] == ';') {
        Py_ssize_t start = ++i;
        while (i < size && TOKEN[line[i]]) i++;
        if (i == start) return -1;
        if (i < size && line[i] == '=') {
            start = ++i;
            if (i < size && line[i] == '"') i = quoted_end(line, i, size);
            else while (i < size && TOKEN[line[i]]) i++;
            if (i < 0 || i == start) return -1;
        }
    }
    return size - i == 2 && line[i] == '\r' && line[i + 1] == '\n' ? number : -1;
}

static int trailer_ok(const uint8_t *line, Py_ssize_t size) {
    static const char *forbidden[] = {
        "transfer-encoding", "content-length", "host", "connection", "upgrade", "te", "trailer", "expect",
        "keep-alive", "proxy-connection", "authorization", "x-api-key", "api-key", "cookie", "set-cookie",
        "forwarded", "via", "max-forwards", "content-type", "content-encoding", "content-range",
        "cache-control", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", NULL};
    Span name, value;
    if (read_field(line, line + size, &name, &value) != line + size) return 0;
    for (const char **f = forbidden; *f != NULL; f++)
        if (same(name, *f, strlen(*f))) return 0;
    return 1;
}

static Py_ssize_t line_limit(Chunks *self) {
    return self->state == DATA_END ? 1 : self->state == SIZE ? MAX_SIZE_LINE : MAX_TRAILERS - self->trailers;
}

/* One whole line. 1: the message is over, 0: go on, -1: broken. */
static int take_line(Chunks *self, const uint8_t *line, Py_ssize_t size) {
    int blank = size == 2 && line[0] == '\r';
    if (self->state == DATA_END) {
        self->state = SIZE;
        return blank ? 0 : -1;
    }
    if (self->state == SIZE) {
        self->left = size_of(line, size);
        self->state = self->left ? DATA : TRAILERS;
        return self->left < 0 ? -1 : 0;
    }
    if (blank) {
        self->state = SIZE;
        self->trailers = 0;
        return 1;
    }
    self->trailers += size;
    return self->trailers > MAX_TRAILERS || !trailer_ok(line, size) ? -1 : 0;
}

static int keep_line(Chunks *self, const uint8_t *piece, Py_ssize_t size) {
    Py_ssize_t whole = self->line_size + size;
    if (whole > line_limit(self) || (self->state == DATA_END && piece[size - 1] != '\r')) return -1;
    if (self->line == NULL && (self->line = PyMem_Malloc(MAX_TRAILERS + 2)) == NULL) return -1;
    memcpy(self->line + self->line_size, piece, size);
    self->line_size = whole;
    return 0;
}

static int finish_line(Chunks *self, const uint8_t *piece, Py_ssize_t size) {
    if (!self->line_size) return take_line(self, piece, size);
    if (self->line_size + size > MAX_TRAILERS + 2) return -1;
    memcpy(self->line + self->line_size, piece, size);
    size += self->line_size;
    self->line_size = 0;
    return take_line(self, self->line, size);
}

static PyObject *walk(Chunks *self, PyObject *data, PyObject *out) {
    if (!PyBytes_Check(data)) {
        PyErr_SetString(PyExc_TypeError, "data must be bytes");
        return NULL;
    }
    const uint8_t *base = (const uint8_t *)PyBytes_AS_STRING(data);
    Py_ssize_t at = 0, size = PyBytes_GET_SIZE(data);
    while (at < size) {
        if (self->state == DATA) {
            Py_ssize_t step = self->left < size - at ? (Py_ssize_t)self->left : size - at;
            if (out != NULL) {
                PyObject *piece = PyBytes_FromStringAndSize((const char *)base + at, step);
                if (piece == NULL || PyList_Append(out, piece) < 0) { Py_XDECREF(piece); return NULL; }
                Py_DECREF(piece);
            }
            at += step;
            self->left -= step;
            if (!self->left) self->state = DATA_END;
            continue;
        }
        const uint8_t *newline = memchr(base + at, '\n', size - at);
        if (newline == NULL) {
            if (keep_line(self, base + at, size - at) < 0) return PyLong_FromLong(-1);
            break;
        }
        Py_ssize_t stop = newline - base + 1;
        int verdict = finish_line(self, base + at, stop - at);
        if (verdict < 0) return PyLong_FromLong(-1);
        at = stop;
        if (verdict) return PyLong_FromSsize_t(at);
    }
    return PyLong_FromLong(0);
}

static PyObject *chunks_feed(PyObject *self, PyObject *data) { return walk((Chunks *)self, data, NULL); }

static PyObject *chunks_decode(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    if (count != 2 || !PyList_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "decode(data: bytes, out: list)");
        return NULL;
    }
    return walk((Chunks *)self, args[0], args[1]);
}

static void chunks_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyMem_Free(((Chunks *)self)->line);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef chunks_methods[] = {
    {"feed", chunks_feed, METH_O, NULL},
    {"decode", (PyCFunction)(void (*)(void))chunks_decode, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL}};
static PyType_Slot chunks_slots[] = {
    {Py_tp_methods, chunks_methods}, {Py_tp_dealloc, chunks_dealloc}, {Py_tp_new, PyType_GenericNew}, {0, NULL}};
static PyType_Spec chunks_spec = {
    "tollkeeper.gate._heads.Chunks", sizeof(Chunks), 0, Py_TPFLAGS_DEFAULT, chunks_slots};

static PyMethodDef methods[] = {
    {"parse_request", parse_request, METH_O, NULL},
    {"parse_response", (PyCFunction)(void (*)(void))parse_response, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_heads", NULL, -1, methods};

PyMODINIT_FUNC PyInit__heads(void) {
    make_tables();
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL) return NULL;
    PyObject *type = PyType_FromSpec(&chunks_spec);
    if (type == NULL || PyModule_AddObject(module, "Chunks", type) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
