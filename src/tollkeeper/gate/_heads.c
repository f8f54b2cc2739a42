/* The compiled twin of heads.py: same functions, same answers. Read that for what and why;
   tests/gate/test_heads_twins.py holds the two against each other. Only the C API of Python is used. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_fields.h"

enum {
    KEEP = 1, CHUNKED = 2, EXPECT = 4, UPGRADE = 8, HEAD = 16, HTTP10 = 32, NO_BODY = 64,
    UNTIL_CLOSE = 128, ORIGIN = 256, JSON = 512, EVENTS = 1024, ENCODED = 2048, CACHED = 4096
};
enum { NAMED = 1 }; /* instead of a response's parts */

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

/* A word of Connection that names no field which would go on. */
static int harmless(Span w) {
    return !w.size || SAME(w, "keep-alive") || SAME(w, "close") || SAME(w, "upgrade") || SAME(w, "te")
        || SAME(w, "trailer") || SAME(w, "http2-settings") || SAME(w, "proxy-connection");
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
            } else if (SAME(name, "x-http-method") || SAME(name, "x-rewrite-url")) keep = 0;
            break;
        case 22:
            if (SAME(name, "x-http-method-override")) keep = 0;
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
            } else if (SAME(name, "x-method-override")) keep = 0;
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
                    else if (SAME(word, "upgrade")) named = 1;
                    else if (!harmless(word)) goto refuse;
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
    int named = 0;
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
                    else if (SAME(word, "keep-alive")) { if (flags & HTTP10) flags |= KEEP; }
                    else if (!harmless(word)) named = 1;
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
    if (named) {
        result = PyLong_FromLong(NAMED);
        goto done;
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

static PyMethodDef methods[] = {
    {"parse_request", parse_request, METH_O, NULL},
    {"parse_response", (PyCFunction)(void (*)(void))parse_response, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_heads", NULL, -1, methods};

PyMODINIT_FUNC PyInit__heads(void) {
    make_tables();
    return PyModule_Create(&definition);
}
