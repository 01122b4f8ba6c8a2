/*
 * Makes stacks of C++ exceptions: a destructor that runs while an exception passes its frame, in which another one is
 * thrown and caught; a handler that was reached through virtual calls; a handler that throws on.
 *
 * Origin: own. Licence: Apache-2.0.
 */
#include "stop.h"

#include <stdexcept>
#include <string>

struct Node {
	virtual ~Node() = default;
	virtual long visit(int depth) = 0;
};

static long turn(Node **nodes, int depth);

/* Throws and catches while another exception is on its way. */
struct Guard {
	std::string text;
	explicit Guard(int depth) : text(40, static_cast<char>('a' + depth % 26)) {}
	OWN_FRAME ~Guard();
};

OWN_FRAME void fail(const std::string &text)
{
	throw std::runtime_error(text);
}

OWN_FRAME void fail_deeper(const std::string &text, int depth)
{
	if (depth == 0)
		fail(text);
	else
		fail_deeper(text, depth - 1);
	NO_TAIL_CALL;
}

OWN_FRAME void inside_destructor(const std::string &text)
{
	try {
		fail_deeper(text, 3);
	} catch (const std::logic_error &) {
		USE(&text);
	} catch (const std::runtime_error &) {
		stop_here();
		NO_TAIL_CALL;
	}
}

Guard::~Guard()
{
	inside_destructor(text);
	NO_TAIL_CALL;
}

struct Guarding : Node {
	Node **nodes;
	explicit Guarding(Node **nodes) : nodes(nodes) {}
	OWN_FRAME long visit(int depth) override
	{
		Guard guard(depth);
		return turn(nodes, depth - 1) + static_cast<long>(guard.text.size());
	}
};

struct Catching : Node {
	Node **nodes;
	explicit Catching(Node **nodes) : nodes(nodes) {}
	OWN_FRAME long visit(int depth) override
	{
		try {
			return turn(nodes, depth - 1);
		} catch (const std::exception &error) {
			stop_here();
			if (depth < 10)
				throw;
			return error.what()[0];
		}
	}
};

struct Failing : Node {
	Node **nodes;
	explicit Failing(Node **nodes) : nodes(nodes) {}
	OWN_FRAME long visit(int depth) override
	{
		if (depth == 0)
			throw std::runtime_error("the end");
		long result = turn(nodes, depth - 1);
		NO_TAIL_CALL;
		return result;
	}
};

OWN_FRAME static long turn(Node **nodes, int depth)
{
	long result = nodes[depth % 3]->visit(depth);
	NO_TAIL_CALL;
	return result;
}

int main()
{
	Node *nodes[3];
	Failing failing(nodes);
	Guarding guarding(nodes);
	Catching catching(nodes);
	nodes[0] = &failing;
	nodes[1] = &guarding;
	nodes[2] = &catching;
	USE(nodes);
	return turn(nodes, 20) == 0;
}
