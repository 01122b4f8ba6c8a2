/* Origin: own. Licence: Apache-2.0. */
#define _GNU_SOURCE
#define _XOPEN_SOURCE_EXTENDED 1
#define NCURSES_WIDECHAR 1
#include "live_screen.h"
#include <curses.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

/* Of <term.h>. */
#undef columns

static SCREEN *screen;
static attr_t attributes[LIVE_STYLES];
static short pairs[LIVE_STYLES];

/* What a signal handler needs to give the terminal back: no more than write(2) and tcsetattr(3), which it may call. */
static struct termios settings;
static volatile sig_atomic_t is_shown;
static char leave[256];
static size_t leave_size;

static const int deadly[] = {
	SIGSEGV, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGSYS, SIGBUS, SIGQUIT, SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGALRM,
	SIGUSR1, SIGUSR2, SIGVTALRM, SIGPROF, SIGXCPU, SIGXFSZ, SIGIO, SIGPWR, SIGSTKFLT,
};
#define DEADLY (sizeof(deadly) / sizeof(*deadly))
static struct sigaction previous[DEADLY];
static bool is_watched[DEADLY];

void live_screen_give_back(void)
{
	if (!is_shown)
		return;
	is_shown = 0;
	(void)!write(STDOUT_FILENO, leave, leave_size);
	tcsetattr(STDIN_FILENO, TCSANOW, &settings);
}

static void end(int number)
{
	live_screen_give_back();
	for (size_t index = 0; index < DEADLY; index++)
		if (deadly[index] == number)
			sigaction(number, &previous[index], NULL);
	/* It is blocked until this returns. */
	raise(number);
}

static void append(const char *capability)
{
	const char *text = tigetstr(capability);

	if (!text || text == (char *)-1)
		return;
	/* Terminals of today need no padding, which `$<` would ask for. */
	size_t size = strcspn(text, "$");

	if (leave_size + size > sizeof(leave))
		return;
	memcpy(leave + leave_size, text, size);
	leave_size += size;
}

/* Whether a handler only reports that the process ends: the Swift runtime's, for crashes. A handler for SIGBUS may go on. */
static bool is_crash(int number)
{
	return number == SIGSEGV || number == SIGILL || number == SIGTRAP || number == SIGABRT || number == SIGFPE
		|| number == SIGQUIT;
}

static void watch_signals(void)
{
	struct sigaction action = { .sa_handler = end };

	sigemptyset(&action.sa_mask);
	for (size_t index = 0; index < DEADLY; index++) {
		is_watched[index] = sigaction(deadly[index], NULL, &previous[index]) == 0
			&& (previous[index].sa_handler == SIG_DFL
				|| (previous[index].sa_handler != SIG_IGN && is_crash(deadly[index])));
		if (is_watched[index])
			sigaction(deadly[index], &action, NULL);
	}
}

static void forget_signals(void)
{
	struct sigaction now;

	for (size_t index = 0; index < DEADLY; index++) {
		/* Somebody may have taken it meanwhile. */
		if (is_watched[index] && sigaction(deadly[index], NULL, &now) == 0 && now.sa_handler == end)
			sigaction(deadly[index], &previous[index], NULL);
		is_watched[index] = false;
	}
}

/* A style without colours, and the one with them. */
static void set_style(enum live_style style, attr_t plain, short foreground, short background)
{
	bool colours = has_colors() && foreground != -2;

	attributes[style] = colours ? A_NORMAL : plain;
	pairs[style] = 0;
	if (colours && init_pair(style + 1, foreground, background) == OK)
		pairs[style] = style + 1;
}

static void set_styles(bool colours)
{
	/* -2: none, whatever the terminal has. */
#define COLOUR(number) (short)(colours ? (number) : -2)
	set_style(LIVE_PLAIN, A_NORMAL, -2, -1);
	set_style(LIVE_BOLD, A_BOLD, -2, -1);
	set_style(LIVE_DIM, A_DIM, -2, -1);
	set_style(LIVE_USER, A_REVERSE, COLOUR(COLOR_BLACK), COLOR_YELLOW);
	set_style(LIVE_KERNEL, A_REVERSE | A_DIM, COLOUR(COLOR_BLACK), COLOR_CYAN);
	set_style(LIVE_GUESSED, A_REVERSE | A_UNDERLINE, COLOUR(COLOR_BLACK), COLOR_MAGENTA);
	set_style(LIVE_INLINED, A_REVERSE, COLOUR(COLOR_BLACK), COLOR_GREEN);
	set_style(LIVE_TRUNCATED, A_REVERSE | A_DIM, COLOUR(COLOR_WHITE), COLOR_RED);
	set_style(LIVE_SELECTED, A_BOLD | A_UNDERLINE, COLOUR(COLOR_WHITE), COLOR_BLUE);
#undef COLOUR
	if (pairs[LIVE_SELECTED])
		attributes[LIVE_SELECTED] = A_BOLD;
}

bool live_screen_open(bool colours)
{
	if (screen || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &settings) != 0)
		return false;
	setlocale(LC_ALL, "");
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return false;
	const char *move = tigetstr("cup");

	if (!move || move == (char *)-1) {
		live_screen_close();
		return false;
	}
	/* newterm's handlers draw, on whatever thread they run. */
	signal(SIGTSTP, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	/* Keys give characters, not signals. */
	raw();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	set_escdelay(50);
	curs_set(0);
	if (colours && has_colors()) {
		start_color();
		use_default_colors();
	} else {
		colours = false;
	}
	set_styles(colours);
	leave_size = 0;
	append("sgr0");
	append("cnorm");
	append("rmkx");
	append("rmcup");
	is_shown = 1;
	watch_signals();
	return true;
}

void live_screen_close(void)
{
	if (!screen)
		return;
	endwin();
	is_shown = 0;
	forget_signals();
	delscreen(screen);
	screen = NULL;
}

void live_screen_size(int *rows, int *columns) { getmaxyx(stdscr, *rows, *columns); }

void live_screen_erase(void) { erase(); }

void live_screen_put(int row, int column, const char *text, enum live_style style)
{
	int rows, columns;

	getmaxyx(stdscr, rows, columns);
	if (row < 0 || row >= rows || column < 0 || column >= columns)
		return;
	attr_set(attributes[style], pairs[style], NULL);
	/* It stops at the edge, and fails if it writes the last place of the screen. */
	(void)mvaddnstr(row, column, text, -1);
	attr_set(A_NORMAL, 0, NULL);
}

void live_screen_show(void) { refresh(); }

int live_screen_key(int milliseconds)
{
	wint_t key;

	timeout(milliseconds);
	switch (get_wch(&key)) {
	case OK:
		switch (key) {
		case '\r': case '\n': return LIVE_KEY_ENTER;
		case '\b': case 0x7f: return LIVE_KEY_BACK;
		case 0x1b: return LIVE_KEY_HOME;
		default: return (int)key;
		}
	case KEY_CODE_YES:
		switch (key) {
		case KEY_UP: return LIVE_KEY_UP;
		case KEY_DOWN: return LIVE_KEY_DOWN;
		case KEY_LEFT: return LIVE_KEY_LEFT;
		case KEY_RIGHT: return LIVE_KEY_RIGHT;
		case KEY_ENTER: return LIVE_KEY_ENTER;
		case KEY_BACKSPACE: case KEY_DC: return LIVE_KEY_BACK;
		case KEY_HOME: return LIVE_KEY_HOME;
		case KEY_RESIZE: return LIVE_KEY_REDRAW;
		default: return LIVE_KEY_OTHER;
		}
	default:
		return LIVE_KEY_NONE;
	}
}

void live_screen_stop(void)
{
	def_prog_mode();
	endwin();
	is_shown = 0;
	/* The others of the job, too, as the terminal does it. */
	kill(0, SIGTSTP);
	reset_prog_mode();
	is_shown = 1;
	clearok(stdscr, TRUE);
	refresh();
}
