/* A terminal's screen, by ncurses.
 *
 * Only one can be open, and only one thread may use it. While it is open, signals that would end the process give the
 * terminal back first.
 *
 * Origin: own. Licence: Apache-2.0. */
#pragma once
#include <stdbool.h>

/* How a text looks. */
enum live_style {
	LIVE_PLAIN,
	LIVE_BOLD,
	LIVE_DIM,
	LIVE_USER,
	LIVE_KERNEL,
	LIVE_GUESSED,
	LIVE_INLINED,
	LIVE_TRUNCATED,
	LIVE_SELECTED,
	LIVE_STYLES
};

/* Keys that aren't characters. */
enum live_key {
	/* None came in time. */
	LIVE_KEY_NONE = 0x110000,
	LIVE_KEY_UP,
	LIVE_KEY_DOWN,
	LIVE_KEY_LEFT,
	LIVE_KEY_RIGHT,
	LIVE_KEY_ENTER,
	LIVE_KEY_BACK,
	LIVE_KEY_HOME,
	/* The size has changed, or the process goes on after it was stopped. */
	LIVE_KEY_REDRAW,
	LIVE_KEY_OTHER
};

/* Opens the screen on standard output, with colours if they are wanted and there are some. False if it isn't a terminal
 * that ncurses knows. */
bool live_screen_open(bool colours);
void live_screen_close(void);
/* Gives the terminal back at once, on any thread, for a process that is about to end. */
void live_screen_give_back(void);
void live_screen_size(int *rows, int *columns);
void live_screen_erase(void);
/* Writes UTF-8 that is cut at the screen's edge. */
void live_screen_put(int row, int column, const char *text, enum live_style style);
void live_screen_show(void);
/* Waits for a key: a Unicode scalar or an enum live_key. */
int live_screen_key(int milliseconds);
/* Stops this process, as Ctrl-Z does, with the terminal as it was before. */
void live_screen_stop(void);
