/* What a kernel's types have, as far as targets.bpf.c asks. */
int bpf_lsm_file_open(int file) { return file; }
