/* The compiled twin of chunks.py: the same class, the same answers. Read that for what and why;
   tests/gate/test_heads_twins.py holds the two against each other. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_fields.h"

#define MAX_SIZE_LINE 256
#define MAX_TRAILERS 8192

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
    "tollkeeper.gate._chunks.Chunks", sizeof(Chunks), 0, Py_TPFLAGS_DEFAULT, chunks_slots};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_chunks", NULL, -1, NULL};

PyMODINIT_FUNC PyInit__chunks(void) {
    make_tables();
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL) return NULL;
    PyObject *type = PyType_FromSpec(&chunks_spec);
    if (type == NULL || PyModule_AddObject(module, "Chunks", type) < 0) {
        Py_XDECREF(type);
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
