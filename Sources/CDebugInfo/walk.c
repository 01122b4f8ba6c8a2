#include "walk.h"

#include <dwarf.h>
#include <stdlib.h>

#define DEPTH_MAX 512
/* Functions inlined into one another at an address: compilers stop far below. */
#define CHAIN_MAX 256
#define NOTHING UINT32_MAX

/* A function, or a place where one is inlined. */
struct node {
	/* The function that it is in or inlined into; `NOTHING` of the outermost. */
	uint32_t parent;
	uint32_t is_inlined;
	Dwarf_Die die;
};

struct walk {
	struct output *output;
	const struct split_files *files;
	const uint64_t *addresses;
	size_t count;
	/* By address: the unit that has it, and the innermost function. */
	uint32_t *units, *owners;
	/* Those of the unit that is looked at. */
	uint32_t unit;
	struct node *nodes;
	uint32_t node_count, node_size;
};

/* The first address that is at least `value`. */
static size_t first_from(const struct walk *walk, uint64_t value)
{
	size_t first = 0, count = walk->count;

	while (count > 0) {
		size_t half = count / 2;

		if (walk->addresses[first + half] < value) {
			first += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return first;
}

/*
 * Sets `values` for all addresses in a DIE's ranges, if they belong to a unit; whether there are any, or -1 if the DIE has no
 * ranges.
 */
static int cover(const struct walk *walk, Dwarf_Die *die, uint32_t *values, uint32_t value, uint32_t unit)
{
	Dwarf_Addr base, start, end;
	ptrdiff_t offset = 0;
	int result = -1;

	while ((offset = dwarf_ranges(die, offset, &base, &start, &end)) > 0) {
		result = result < 0 ? 0 : result;
		for (size_t i = first_from(walk, start); i < walk->count && walk->addresses[i] < end; i++) {
			/* Units may overlap. */
			if (unit != walk->units[i])
				continue;
			values[i] = value;
			result = 1;
		}
	}
	return result;
}

static uint32_t add_node(struct walk *walk, const Dwarf_Die *die, uint32_t parent, int is_inlined)
{
	if (walk->node_count == walk->node_size) {
		uint32_t size = walk->node_size ? 2 * walk->node_size : 1024;
		struct node *larger = realloc(walk->nodes, size * sizeof(*larger));

		if (!larger)
			exit(1);
		walk->nodes = larger;
		walk->node_size = size;
	}
	walk->nodes[walk->node_count] = (struct node){ parent, (uint32_t)is_inlined, *die };
	return walk->node_count++;
}

/*
 * Finds the functions below a DIE. An inlined function lies within the one that it is inlined into, so later ones, which
 * are further inside, take addresses over.
 *
 * - parent: the node that the DIE is or is in, or `NOTHING`.
 * - is_empty: none of the addresses is in there, so only functions are looked for, which lie elsewhere.
 */
static void visit(struct walk *walk, Dwarf_Die *above, uint32_t parent, int is_empty, int depth)
{
	Dwarf_Die die;

	if (depth == DEPTH_MAX || dwarf_child(above, &die) != 0)
		return;
	do {
		int tag = dwarf_tag(&die), covered;

		switch (tag) {
		case DW_TAG_inlined_subroutine:
		case DW_TAG_subprogram: {
			int is_inlined = tag == DW_TAG_inlined_subroutine;
			uint32_t node = walk->node_count;

			if (is_inlined && is_empty)
				break;
			covered = cover(walk, &die, walk->owners, node, walk->unit);
			if (covered > 0)
				add_node(walk, &die, is_inlined ? parent : NOTHING, is_inlined);
			if (covered > 0 || !is_inlined)
				visit(walk, &die, covered > 0 ? node : NOTHING, covered <= 0, depth + 1);
			break;
		}
		case DW_TAG_lexical_block:
		case DW_TAG_try_block:
		case DW_TAG_catch_block:
			if (!is_empty)
				visit(walk, &die, parent, 0, depth + 1);
			break;
		case DW_TAG_namespace:
		case DW_TAG_module:
		case DW_TAG_class_type:
		case DW_TAG_structure_type:
		case DW_TAG_union_type:
		case DW_TAG_enumeration_type:
		case DW_TAG_interface_type:
			visit(walk, &die, parent, is_empty, depth + 1);
			break;
		default:
			break;
		}
	} while (dwarf_siblingof(&die, &die) == 0);
}

/* The symbol, as others call it; else the name in the source. */
static const char *function_name(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	const char *name = 0;

	if (dwarf_attr_integrate(die, DW_AT_linkage_name, &attribute) ||
	    dwarf_attr_integrate(die, DW_AT_MIPS_linkage_name, &attribute))
		name = dwarf_formstring(&attribute);
	return name ? name : dwarf_diename(die);
}

static Dwarf_Word number(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	if (!dwarf_attr(die, name, &attribute) || dwarf_formudata(&attribute, &value) != 0)
		return 0;
	return value;
}

/* Adds the frames of an address; 0 if there is no room. */
static int output_address(struct walk *walk, Dwarf_Die *unit, Dwarf_Files *files, size_t index)
{
	struct source_frame frame = { .address = (uint32_t)index };
	Dwarf_Line *line = dwarf_getsrc_die(unit, walk->addresses[index]);
	uint32_t node = walk->owners[index];
	int number_of_line = 0;

	if (line && dwarf_lineno(line, &number_of_line) == 0 && number_of_line > 0) {
		frame.line = (uint32_t)number_of_line;
		frame.file = output_string(walk->output, dwarf_linesrc(line, 0, 0));
	}
	for (int length = 0; node != NOTHING && walk->nodes[node].is_inlined && length < CHAIN_MAX; length++) {
		Dwarf_Die *die = &walk->nodes[node].die;
		Dwarf_Word file = number(die, DW_AT_call_file), from = number(die, DW_AT_call_line);

		frame.function = output_string(walk->output, function_name(die));
		frame.is_inlined = 1;
		if (!output_frame(walk->output, frame))
			return 0;
		frame = (struct source_frame){ .address = (uint32_t)index };
		if (from > 0 && from <= UINT32_MAX) {
			frame.line = (uint32_t)from;
			frame.file = files ? output_string(walk->output, dwarf_filesrc(files, file, 0, 0)) : 0;
		}
		node = walk->nodes[node].parent;
	}
	if (node != NOTHING && !walk->nodes[node].is_inlined)
		frame.function = output_string(walk->output, function_name(&walk->nodes[node].die));
	return output_frame(walk->output, frame);
}

static int walk_unit(struct walk *walk, Dwarf_Die *unit, uint32_t number)
{
	Dwarf_Files *files = 0;
	Dwarf_Die functions;

	walk->node_count = 0;
	walk->unit = number;
	if (find_functions(walk->files, unit, &functions, walk->output)) {
		visit(walk, &functions, NOTHING, 0, 0);
		/* The numbers of files in there are not those of the lines, which are with the unit itself. */
		if (dwarf_getsrcfiles(&functions, &files, 0) != 0)
			files = 0;
	}
	for (size_t i = 0; i < walk->count; i++) {
		if (walk->units[i] != number)
			continue;
		if (!output_address(walk, unit, files, i))
			return 0;
		walk->output->results->done++;
	}
	return 1;
}

struct unit {
	Dwarf_Die die;
	uint32_t number;
};

/* Finds the units that have any of the addresses. */
static struct unit *find_units(Dwarf *dwarf, struct walk *walk, size_t *count)
{
	Dwarf_CU *unit = 0;
	Dwarf_Half version;
	uint8_t type;
	struct unit *units = 0, found = { .number = 0 };
	size_t size = 0;

	*count = 0;
	while (dwarf_get_units(dwarf, unit, &unit, &version, &type, &found.die, 0) == 0) {
		if (type != DW_UT_compile && type != DW_UT_skeleton)
			continue;
		found.number++;
		if (cover(walk, &found.die, walk->units, found.number, 0) <= 0)
			continue;
		if (*count == size) {
			size = size ? 2 * size : 256;
			units = realloc(units, size * sizeof(*units));
			if (!units)
				exit(1);
		}
		units[(*count)++] = found;
	}
	return units;
}

void walk_dwarf(
	Dwarf *dwarf, const struct split_files *files, const uint64_t *addresses, size_t count, struct output *output)
{
	struct walk walk = { .output = output, .files = files, .addresses = addresses, .count = count };
	struct unit *units;
	size_t unit_count;

	walk.units = calloc(count, sizeof(*walk.units));
	walk.owners = malloc(count * sizeof(*walk.owners));
	if (!walk.units || !walk.owners)
		exit(1);
	for (size_t i = 0; i < count; i++)
		walk.owners[i] = NOTHING;
	units = find_units(dwarf, &walk, &unit_count);
	for (size_t i = 0; i < count; i++)
		output->results->done += walk.units[i] == 0;
	for (size_t i = 0; i < unit_count; i++)
		if (!walk_unit(&walk, &units[i].die, units[i].number))
			return;
}
