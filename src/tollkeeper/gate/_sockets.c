/* Reads and writes many connections in one go: a turn of an epoll set is one call from Python.
 *
 * An event loop calls Python once for each connection that has something, and takes Python's lock and
 * lets it go around every call. Nothing here ever waits, so the lock is kept.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define EVENTS 64
/* Below the size from which on malloc maps memory anew for each object. */
#define MOST (120 * 1024)

static PyObject *spare;

/* What one descriptor has: bytes, empty bytes at the peer's end, minus errno, or None if nothing came.
 * Much is received into the very object that is handed out, little is copied out of a spare one. */
static PyObject *take(int descriptor) {
    if (spare == NULL && (spare = PyBytes_FromStringAndSize(NULL, MOST)) == NULL) return NULL;
    ssize_t size;
    do {
        size = recv(descriptor, PyBytes_AS_STRING(spare), MOST, MSG_DONTWAIT);
    } while (size < 0 && errno == EINTR);
    if (size > MOST / 4) {
        PyObject *whole = spare;
        spare = NULL;
        if (size < MOST) _PyBytes_Resize(&whole, size);
        return whole;
    }
    if (size >= 0) return PyBytes_FromStringAndSize(PyBytes_AS_STRING(spare), size);
    if (errno == EAGAIN || errno == EWOULDBLOCK) Py_RETURN_NONE;
    return PyLong_FromLong(-errno);
}

static int put(PyObject *found, int descriptor, PyObject *what) {
    PyObject *number = what == NULL ? NULL : PyLong_FromLong(descriptor);
    int trouble = number == NULL || PyList_Append(found, number) < 0 || PyList_Append(found, what) < 0;
    Py_XDECREF(number);
    Py_XDECREF(what);
    return trouble;
}

/* receive(epoll) -> [descriptor, what, ...]: bytes that came, b"" at the peer's end, minus errno,
 * or True where there is room to write. Never waits. */
static PyObject *receive(PyObject *module, PyObject *epoll) {
    struct epoll_event events[EVENTS];
    int number = (int)PyLong_AsLong(epoll);
    if (number == -1 && PyErr_Occurred()) return NULL;
    int count = epoll_wait(number, events, EVENTS, 0);
    if (count < 0) return errno == EINTR ? PyList_New(0) : PyErr_SetFromErrno(PyExc_OSError);
    PyObject *found = PyList_New(0);
    for (int i = 0; found != NULL && i < count; i++) {
        int descriptor = events[i].data.fd;
        if (events[i].events & EPOLLOUT) {
            Py_INCREF(Py_True);
            if (put(found, descriptor, Py_True)) Py_CLEAR(found);
        }
        if (found != NULL && events[i].events & ~EPOLLOUT) {
            PyObject *what = take(descriptor);
            if (what == Py_None) Py_DECREF(what);
            else if (put(found, descriptor, what)) Py_CLEAR(found);
        }
    }
    return found;
}

/* send(descriptor, data, start) -> how many bytes went out, 0 if there is no room, or minus errno. */
static PyObject *send_some(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    if (count != 3 || !PyBytes_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError, "send(descriptor: int, data: bytes, start: int)");
        return NULL;
    }
    int descriptor = (int)PyLong_AsLong(args[0]);
    Py_ssize_t start = PyLong_AsSsize_t(args[2]), size = PyBytes_GET_SIZE(args[1]);
    if (PyErr_Occurred()) return NULL;
    if (start < 0 || start > size) {
        PyErr_SetString(PyExc_ValueError, "start is outside of data");
        return NULL;
    }
    ssize_t sent;
    do {
        sent = send(descriptor, PyBytes_AS_STRING(args[1]) + start, size - start, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) return PyLong_FromLong(errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno);
    return PyLong_FromSsize_t(sent);
}

static PyMethodDef methods[] = {
    {"receive", receive, METH_O, NULL},
    {"send", (PyCFunction)(void (*)(void))send_some, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_sockets", NULL, -1, methods};

PyMODINIT_FUNC PyInit__sockets(void) { return PyModule_Create(&definition); }
