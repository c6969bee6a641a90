/* SPDX-License-Identifier: MIT */
#include "screen_terminal.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

/* A paste comes as one, so that no line feed in it sends anything. Terminals that do not know this
 * ignore it. */
#define PASTE_ON  "\033[?2004h"
#define PASTE_OFF "\033[?2004l"

#define LEAVING_SIZE 256u

/* These end a program that does not handle them; SIGINT, SIGTERM and SIGHUP are handled. */
static const int deadly[] = {SIGQUIT, SIGILL,  SIGABRT, SIGBUS,    SIGFPE,  SIGSEGV, SIGSYS, SIGTRAP,
                             SIGALRM, SIGUSR1, SIGUSR2, SIGVTALRM, SIGXCPU, SIGXFSZ, SIGPROF};
#define DEADLY_COUNT (sizeof deadly / sizeof deadly[0])

static struct {
    volatile sig_atomic_t is_taken;
    SCREEN *screen;
    struct termios outside;     /* as the terminal was */
    char leaving[LEAVING_SIZE]; /* what gives it back, for handlers: curses must not be called there */
    size_t leaving_size;
    struct sigaction before[DEADLY_COUNT];
    struct sigaction stop_before;
} terminal;

/* --- in handlers --- */

static void let_go(void)
{
    const int kept_errno = errno;
    if (terminal.is_taken) {
        ssize_t n = write(STDOUT_FILENO, terminal.leaving, terminal.leaving_size);
        (void)n; /* nothing can be done about it here */
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal.outside);
    }
    errno = kept_errno;
}

/* Dies of the same signal as it would have without this program's terminal. */
static void on_deadly(int number)
{
    let_go();
    for (size_t i = 0; i < DEADLY_COUNT; i++) {
        if (deadly[i] == number) {
            sigaction(number, &terminal.before[i], NULL);
        }
    }
    raise(number);
}

/* Stops as it would have. SIGCONT has a handler of its own, which makes the program take the terminal again;
 * without a shell that could continue it (an orphaned process group) the system does not stop it at all. */
static void on_stop(int number)
{
    struct sigaction ours;
    sigset_t only;
    let_go();
    sigaction(number, &terminal.stop_before, &ours);
    raise(number);
    sigemptyset(&only);
    sigaddset(&only, number);
    sigprocmask(SIG_UNBLOCK, &only, NULL); /* it stops here */
    sigprocmask(SIG_BLOCK, &only, NULL);
    sigaction(number, &ours, NULL);
    raise(SIGCONT);
}

/* --- taking and giving --- */

static void watch_signals(void)
{
    struct sigaction action = {.sa_handler = on_deadly};
    sigset_t held;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < DEADLY_COUNT; i++) {
        sigaction(deadly[i], &action, &terminal.before[i]);
        if (terminal.before[i].sa_handler == SIG_IGN) {
            sigaction(deadly[i], &terminal.before[i], NULL);
        }
    }
    sigaction(SIGTSTP, NULL, &terminal.stop_before);
    if (terminal.stop_before.sa_handler != SIG_IGN) {
        action.sa_handler = on_stop;
        sigaction(SIGTSTP, &action, NULL);
    }
    sigemptyset(&held);
    sigaddset(&held, SIGTSTP);
    sigprocmask(SIG_BLOCK, &held, NULL);
}

static void unwatch_signals(void)
{
    sigset_t held;
    for (size_t i = 0; i < DEADLY_COUNT; i++) {
        sigaction(deadly[i], &terminal.before[i], NULL);
    }
    sigaction(SIGTSTP, &terminal.stop_before, NULL);
    sigemptyset(&held);
    sigaddset(&held, SIGTSTP);
    sigprocmask(SIG_UNBLOCK, &held, NULL);
}

static int put_leaving(int c)
{
    if (terminal.leaving_size < sizeof terminal.leaving) {
        terminal.leaving[terminal.leaving_size++] = (char)c;
    }
    return c;
}

/* Needs the terminal's description, which newterm reads. */
static void prepare_leaving(void)
{
    terminal.leaving_size = 0;
    for (const char *c = PASTE_OFF; *c != '\0'; c++) {
        put_leaving(*c);
    }
    tputs(exit_attribute_mode, 1, put_leaving);
    tputs(orig_pair, 1, put_leaving);
    tputs(cursor_normal, 1, put_leaving);
    tputs(exit_ca_mode, 1, put_leaving);
}

/* At once: what curses writes waits for the next draw. */
static void tell(const char *sequence)
{
    fputs(sequence, stdout);
    fflush(stdout);
}

/* Keys come at once and are not shown; what is not for the program stays the terminal's: Ctrl-C, Ctrl-Z. */
static void set_modes(void)
{
    struct termios modes;
    cbreak();
    noecho();
    nonl();
    typeahead(-1); /* a draw is never put off: nobody asks curses for keys */
    if (tcgetattr(STDIN_FILENO, &modes) == 0) {
        modes.c_iflag &= (tcflag_t)~IXON;
        modes.c_lflag &= (tcflag_t)~IEXTEN;
        tcsetattr(STDIN_FILENO, TCSADRAIN, &modes);
    }
    def_prog_mode();
}

static const char *why_not(void)
{
    const char *name = getenv("TERM");
    int error = 0;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        return "stdin and stdout are not both a terminal";
    }
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
        return "there is no UTF-8 locale";
    }
    if (name == NULL || name[0] == '\0' || setupterm(NULL, STDOUT_FILENO, &error) != OK) {
        return "the type of the terminal, TERM, is not known here";
    }
    const bool can_move = cursor_address != NULL;
    del_curterm(cur_term);
    return can_move ? NULL : "this terminal, as TERM names it, cannot move its cursor";
}

const char *screen_terminal_take(void)
{
    const char *why = why_not();
    if (why != NULL) {
        return why;
    }
    if (tcgetattr(STDIN_FILENO, &terminal.outside) != 0) {
        return "the terminal does not tell its settings";
    }
    watch_signals();
    terminal.screen = newterm(NULL, stdout, stdin);
    if (terminal.screen == NULL) {
        unwatch_signals();
        return "curses cannot use it";
    }
    prepare_leaving();
    terminal.is_taken = 1;
    set_modes();
    tell(PASTE_ON);
    return NULL;
}

void screen_terminal_give(void)
{
    if (!terminal.is_taken) {
        return;
    }
    tell(PASTE_OFF);
    endwin();
    tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal.outside);
    terminal.is_taken = 0;
    delscreen(terminal.screen);
    terminal.screen = NULL;
    unwatch_signals();
}

void screen_terminal_retake(void)
{
    endwin(); /* so that curses knows what has happened; the next draw takes the terminal again */
    tell(PASTE_ON);
    clearok(curscr, TRUE);
}

bool screen_terminal_fit(void)
{
    struct winsize window;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_row == 0 || window.ws_col == 0 ||
        (window.ws_row == LINES && window.ws_col == COLS)) {
        return false;
    }
    resizeterm(window.ws_row, window.ws_col);
    clearok(curscr, TRUE);
    return true;
}

bool screen_terminal_is_there(void)
{
    struct pollfd fd = {.fd = STDOUT_FILENO};
    return poll(&fd, 1, 0) <= 0 || (fd.revents & (POLLHUP | POLLERR | POLLNVAL)) == 0;
}
