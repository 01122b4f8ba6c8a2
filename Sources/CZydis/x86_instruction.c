#include "x86_instruction.h"

#include <Zydis/Zydis.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct {
	__typeof__(&ZydisDecoderInit) init;
	__typeof__(&ZydisDecoderDecodeInstruction) instruction;
	__typeof__(&ZydisDecoderDecodeOperands) operands;
	__typeof__(&ZydisFormatterInit) formatter;
	__typeof__(&ZydisFormatterFormatInstruction) format;
} zydis;

static ZydisDecoder decoder;
static char problem[256];

static int find(void *library, const char *name, void *function)
{
	void *found = dlsym(library, name);

	if (!found) {
		snprintf(problem, sizeof(problem), "libZydis.so.4.0 has no %s", name);
		return 0;
	}
	/* A pointer to a function is as large as one to data (POSIX, dlsym). */
	memcpy(function, &found, sizeof(found));
	return 1;
}

static void load(void)
{
	void *library = dlopen("libZydis.so.4.0", RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		snprintf(problem, sizeof(problem), "%s", dlerror());
		return;
	}
	if (find(library, "ZydisDecoderInit", &zydis.init)
		&& find(library, "ZydisDecoderDecodeInstruction", &zydis.instruction)
		&& find(library, "ZydisDecoderDecodeOperands", &zydis.operands)
		&& find(library, "ZydisFormatterInit", &zydis.formatter)
		&& find(library, "ZydisFormatterFormatInstruction", &zydis.format)
		&& ZYAN_FAILED(zydis.init(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)))
		snprintf(problem, sizeof(problem), "libZydis.so.4.0 can't decode x86-64");
}

const char *cfic_x86_open(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	return problem[0] ? problem : NULL;
}

/* DWARF's number of a general purpose register of any width. */
static uint8_t number(ZydisRegister name)
{
	static const uint8_t dwarf[16] = { 0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15 };

	if (name >= ZYDIS_REGISTER_RAX && name <= ZYDIS_REGISTER_R15) return dwarf[name - ZYDIS_REGISTER_RAX];
	if (name >= ZYDIS_REGISTER_EAX && name <= ZYDIS_REGISTER_R15D) return dwarf[name - ZYDIS_REGISTER_EAX];
	if (name >= ZYDIS_REGISTER_AX && name <= ZYDIS_REGISTER_R15W) return dwarf[name - ZYDIS_REGISTER_AX];
	if (name >= ZYDIS_REGISTER_AL && name <= ZYDIS_REGISTER_BL) return dwarf[name - ZYDIS_REGISTER_AL];
	/* ah, ch, dh, bh; then spl, bpl, sil, dil, r8b … */
	if (name >= ZYDIS_REGISTER_AH && name <= ZYDIS_REGISTER_BH) return dwarf[name - ZYDIS_REGISTER_AH];
	if (name >= ZYDIS_REGISTER_SPL && name <= ZYDIS_REGISTER_R15B) return dwarf[name - ZYDIS_REGISTER_SPL + 4];
	return CFIC_X86_NO_REGISTER;
}

static int is_register(const ZydisDecodedOperand *operand, unsigned bits)
{
	return operand->type == ZYDIS_OPERAND_TYPE_REGISTER && (!bits || operand->size == bits)
		&& !(operand->reg.value >= ZYDIS_REGISTER_AH && operand->reg.value <= ZYDIS_REGISTER_BH)
		&& number(operand->reg.value) != CFIC_X86_NO_REGISTER;
}

static int is_memory(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_MEMORY;
}

static int is_immediate(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
}

static void take_memory(struct cfic_x86_instruction *result, const ZydisDecodedOperand *operand)
{
	const ZydisRegister base = operand->mem.base, index = operand->mem.index;

	result->has_memory = 1;
	result->displacement = operand->mem.disp.has_displacement ? operand->mem.disp.value : 0;
	result->size = operand->size / 8;
	result->scale = operand->mem.scale;
	if (operand->mem.segment == ZYDIS_REGISTER_FS || operand->mem.segment == ZYDIS_REGISTER_GS)
		result->base = CFIC_X86_ANOTHER_BASE;
	else if (base == ZYDIS_REGISTER_RIP) result->base = CFIC_X86_INSTRUCTION_POINTER;
	else if (base >= ZYDIS_REGISTER_RAX && base <= ZYDIS_REGISTER_R15) result->base = number(base);
	else if (base != ZYDIS_REGISTER_NONE) result->base = CFIC_X86_ANOTHER_BASE;
	if (index >= ZYDIS_REGISTER_RAX && index <= ZYDIS_REGISTER_R15) result->index = number(index);
	/* A vector of indexes, or one of 32 bits. */
	else if (index != ZYDIS_REGISTER_NONE) result->base = CFIC_X86_ANOTHER_BASE;
}

static uint8_t condition(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_JZ: return CFIC_X86_EQUAL;
	case ZYDIS_MNEMONIC_JNZ: return CFIC_X86_NOT_EQUAL;
	case ZYDIS_MNEMONIC_JB: return CFIC_X86_BELOW;
	case ZYDIS_MNEMONIC_JBE: return CFIC_X86_BELOW_OR_EQUAL;
	case ZYDIS_MNEMONIC_JNBE: return CFIC_X86_ABOVE;
	case ZYDIS_MNEMONIC_JNB: return CFIC_X86_ABOVE_OR_EQUAL;
	default: return CFIC_X86_ANOTHER_CONDITION;
	}
}

/* Of the registers of 8 bits, ah, ch, dh and bh are bits 8 to 15. */
static int is_low_byte(ZydisRegister reg)
{
	return reg >= ZYDIS_REGISTER_AL && reg <= ZYDIS_REGISTER_R15B
		&& !(reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH);
}

/* mov, movzx, movsxd */
static void move(struct cfic_x86_instruction *result, ZydisMnemonic mnemonic, const ZydisDecodedOperand *operands)
{
	const ZydisDecodedOperand *target = &operands[0], *source = &operands[1];

	if (is_memory(target)) {
		if (mnemonic == ZYDIS_MNEMONIC_MOV && is_register(source, 64)) {
			result->kind = CFIC_X86_STORE;
			result->source = number(source->reg.value);
		}
		return;
	}
	if (is_register(target, 8) && is_immediate(source) && is_low_byte(target->reg.value)) {
		result->kind = CFIC_X86_SET_LOW;
		result->target = number(target->reg.value);
		result->immediate = (uint8_t)source->imm.value.u;
		return;
	}
	/* Writing 32 bits clears the upper half; writing fewer keeps the rest. */
	if (!is_register(target, 0) || target->size < 32) return;
	result->target = number(target->reg.value);
	if (is_immediate(source)) {
		result->kind = CFIC_X86_SET;
		result->immediate = target->size == 64 ? source->imm.value.s : (int64_t)(uint32_t)source->imm.value.u;
	} else if (is_register(source, 0)) {
		if (mnemonic == ZYDIS_MNEMONIC_MOVSXD) return;
		result->kind = CFIC_X86_MOVE;
		result->size = source->size / 8;
		result->source = number(source->reg.value);
	} else if (is_memory(source)) {
		const int extends_sign = mnemonic == ZYDIS_MNEMONIC_MOVSXD && target->size == 64 && source->size == 32;
		const int extends_zero = mnemonic == ZYDIS_MNEMONIC_MOVZX;

		if (mnemonic == ZYDIS_MNEMONIC_MOV || extends_zero) result->kind = CFIC_X86_LOAD;
		else if (extends_sign) result->kind = CFIC_X86_LOAD_SIGNED;
	}
}

static void arithmetic(
	struct cfic_x86_instruction *result, ZydisMnemonic mnemonic, const ZydisDecodedOperand *operands)
{
	const ZydisDecodedOperand *target = &operands[0], *source = &operands[1];
	const int is_wide = is_register(target, 64);

	if (is_register(target, 0)) result->target = number(target->reg.value);
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_SUB:
		if (is_wide && is_immediate(source)) {
			result->kind = CFIC_X86_ADD_IMMEDIATE;
			result->immediate = source->imm.value.s;
			if (mnemonic == ZYDIS_MNEMONIC_SUB) result->immediate = -result->immediate;
		} else if (is_wide && is_register(source, 64)) {
			result->kind = mnemonic == ZYDIS_MNEMONIC_ADD ? CFIC_X86_ADD : CFIC_X86_SUBTRACT;
			result->source = number(source->reg.value);
		}
		break;
	case ZYDIS_MNEMONIC_INC:
	case ZYDIS_MNEMONIC_DEC:
		if (!is_wide) break;
		result->kind = CFIC_X86_ADD_IMMEDIATE;
		result->immediate = mnemonic == ZYDIS_MNEMONIC_INC ? 1 : -1;
		break;
	case ZYDIS_MNEMONIC_AND:
		if (!is_register(target, 0) || target->size < 32 || !is_immediate(source)) break;
		result->kind = CFIC_X86_AND_IMMEDIATE;
		result->size = target->size / 8;
		result->immediate = source->imm.value.s;
		break;
	case ZYDIS_MNEMONIC_XOR:
		if (!is_register(target, 0) || target->size < 32 || !is_register(source, target->size)
			|| target->reg.value != source->reg.value)
			break;
		result->kind = CFIC_X86_SET;
		break;
	case ZYDIS_MNEMONIC_XCHG:
		if (!is_wide || !is_register(source, 64)) break;
		result->kind = CFIC_X86_EXCHANGE;
		result->source = number(source->reg.value);
		break;
	case ZYDIS_MNEMONIC_CMP:
		if (is_wide && is_register(source, 64)) {
			result->kind = CFIC_X86_COMPARE;
			result->source = number(source->reg.value);
		} else if ((is_register(target, 0) || is_memory(target)) && is_immediate(source)) {
			result->kind = CFIC_X86_COMPARE_IMMEDIATE;
			result->size = target->size / 8;
			result->immediate = source->imm.value.s;
		}
		break;
	default:
		break;
	}
}

static void stack(
	struct cfic_x86_instruction *result, const ZydisDecodedInstruction *decoded, const ZydisDecodedOperand *operands)
{
	switch (decoded->mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
		result->kind = CFIC_X86_PUSH_OTHER;
		if (is_register(&operands[0], 64)) {
			result->kind = CFIC_X86_PUSH;
			result->source = number(operands[0].reg.value);
		}
		result->size = decoded->operand_width == 16 ? 2 : 8;
		break;
	case ZYDIS_MNEMONIC_POP:
		result->kind = CFIC_X86_POP_OTHER;
		if (is_register(&operands[0], 64)) {
			result->kind = CFIC_X86_POP;
			result->target = number(operands[0].reg.value);
		} else if (is_register(&operands[0], 0)) {
			/* Two bytes of a register: what it holds is unknown afterwards. */
			result->target = number(operands[0].reg.value);
		}
		result->size = decoded->operand_width == 16 ? 2 : 8;
		break;
	case ZYDIS_MNEMONIC_PUSHFQ:
		result->kind = CFIC_X86_PUSH_OTHER;
		result->size = 8;
		break;
	case ZYDIS_MNEMONIC_POPFQ:
		result->kind = CFIC_X86_POP_OTHER;
		result->size = 8;
		break;
	case ZYDIS_MNEMONIC_LEAVE:
		if (decoded->operand_width == 64) result->kind = CFIC_X86_LEAVE;
		break;
	case ZYDIS_MNEMONIC_ENTER:
		if (decoded->operand_width != 64 || operands[1].imm.value.u != 0) break;
		result->kind = CFIC_X86_ENTER;
		result->immediate = (int64_t)operands[0].imm.value.u;
		break;
	default:
		break;
	}
}

static void transfer(
	struct cfic_x86_instruction *result, const ZydisDecodedInstruction *decoded, const ZydisDecodedOperand *operands)
{
	const int is_relative = decoded->operand_count_visible && is_immediate(&operands[0]) && operands[0].imm.is_relative;

	if (is_relative) result->immediate = operands[0].imm.value.s;
	switch (decoded->meta.category) {
	case ZYDIS_CATEGORY_CALL:
		result->kind = is_relative ? CFIC_X86_CALL : CFIC_X86_CALL_INDIRECT;
		break;
	case ZYDIS_CATEGORY_RET:
		result->kind = decoded->mnemonic == ZYDIS_MNEMONIC_RET ? CFIC_X86_RETURN : CFIC_X86_STOP;
		break;
	case ZYDIS_CATEGORY_UNCOND_BR:
		if (decoded->mnemonic != ZYDIS_MNEMONIC_JMP) {
			result->kind = CFIC_X86_STOP;
		} else if (is_relative) {
			result->kind = CFIC_X86_JUMP;
		} else if (is_register(&operands[0], 64)) {
			result->kind = CFIC_X86_JUMP_REGISTER;
			result->target = number(operands[0].reg.value);
		} else {
			result->kind = CFIC_X86_JUMP_MEMORY;
		}
		break;
	default:
		/* Conditional ones, loop, xbegin. */
		if (!is_relative) break;
		result->kind = CFIC_X86_BRANCH;
		result->condition = condition(decoded->mnemonic);
	}
}

/* lock or [rsp], 0 is a barrier: memory stays as it is. */
static int keeps_memory(const ZydisDecodedInstruction *decoded, const ZydisDecodedOperand *operands)
{
	switch (decoded->mnemonic) {
	case ZYDIS_MNEMONIC_OR:
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_XOR: return is_immediate(&operands[1]) && operands[1].imm.value.u == 0;
	default: return 0;
	}
}

static int stops(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_HLT:
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_SYSRET:
	case ZYDIS_MNEMONIC_SYSEXIT: return 1;
	default: return 0;
	}
}

void cfic_x86_decode(const uint8_t *bytes, size_t count, struct cfic_x86_instruction *result)
{
	ZydisDecodedInstruction decoded;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecoderContext context;

	memset(result, 0, sizeof(*result));
	result->target = result->source = result->base = result->index = CFIC_X86_NO_REGISTER;
	if (ZYAN_FAILED(zydis.instruction(&decoder, &context, bytes, count, &decoded))
		|| ZYAN_FAILED(zydis.operands(&decoder, &context, &decoded, operands, decoded.operand_count))) {
		result->kind = CFIC_X86_UNDECODABLE;
		result->length = 1;
		return;
	}
	result->length = decoded.length;
	for (int i = 0; i < decoded.operand_count; i++) {
		const ZydisDecodedOperand *operand = &operands[i];
		const int is_written = (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;

		if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER && is_written) {
			const uint8_t written = number(operand->reg.value);

			if (written == CFIC_X86_NO_REGISTER) continue;
			result->written |= (uint16_t)(1 << written);
			if (operand->size == 32) result->cleared |= (uint16_t)(1 << written);
		}
		if (is_memory(operand) && i < decoded.operand_count_visible && !result->has_memory) {
			take_memory(result, operand);
			result->writes_memory = is_written && !keeps_memory(&decoded, operands);
		}
	}
	switch (decoded.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_POP:
	case ZYDIS_MNEMONIC_PUSHFQ:
	case ZYDIS_MNEMONIC_POPFQ:
	case ZYDIS_MNEMONIC_LEAVE:
	case ZYDIS_MNEMONIC_ENTER:
		stack(result, &decoded, operands);
		return;
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_INC:
	case ZYDIS_MNEMONIC_DEC:
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_XOR:
	case ZYDIS_MNEMONIC_XCHG:
	case ZYDIS_MNEMONIC_CMP:
		arithmetic(result, decoded.mnemonic, operands);
		return;
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_MOVZX:
	case ZYDIS_MNEMONIC_MOVSXD:
		move(result, decoded.mnemonic, operands);
		return;
	case ZYDIS_MNEMONIC_LEA:
		if (!is_register(&operands[0], 64)) return;
		result->kind = CFIC_X86_ADDRESS;
		result->target = number(operands[0].reg.value);
		return;
	case ZYDIS_MNEMONIC_SYSCALL:
		result->kind = CFIC_X86_SYSTEM_CALL;
		return;
	case ZYDIS_MNEMONIC_NOP:
	case ZYDIS_MNEMONIC_ENDBR64:
		result->kind = CFIC_X86_NOTHING;
		return;
	default:
		if (stops(decoded.mnemonic)) result->kind = CFIC_X86_STOP;
		else transfer(result, &decoded, operands);
	}
}

size_t cfic_x86_text(const uint8_t *bytes, size_t count, uint64_t address, char *text, size_t size)
{
	ZydisDecodedInstruction decoded;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecoderContext context;
	ZydisFormatter formatter;

	if (ZYAN_FAILED(zydis.instruction(&decoder, &context, bytes, count, &decoded))
		|| ZYAN_FAILED(zydis.operands(&decoder, &context, &decoded, operands, decoded.operand_count))
		|| ZYAN_FAILED(zydis.formatter(&formatter, ZYDIS_FORMATTER_STYLE_INTEL))
		|| ZYAN_FAILED(zydis.format(&formatter, &decoded, operands, decoded.operand_count_visible, text, size, address,
			NULL))) {
		snprintf(text, size, "(bad)");
		return 1;
	}
	return decoded.length;
}
