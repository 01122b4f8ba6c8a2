// Filled by the merge of the format tests.
