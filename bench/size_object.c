/* size: the bytes that an object file brings into a program, code and data. The variant is its path. */
#include "bench.h"

#include <elf.h>
#include <stdio.h>

static void read_at(FILE *file, uint64_t offset, void *out, size_t size)
{
    bench_check(fseek(file, (long)offset, SEEK_SET) == 0 && fread(out, size, 1, file) == 1, "cannot read the object");
}

int main(int argc, char **argv)
{
    struct bench bench = bench_read(argc, argv);
    FILE *file = fopen(bench.variant, "rb");
    bench_check(file != NULL, "there is no such object");
    Elf64_Ehdr header;
    read_at(file, 0, &header, sizeof header);
    bench_check(header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_type == ET_REL, "this is no object file");
    uint64_t bytes = 0;
    for (unsigned i = 0; i < header.e_shnum; i++) {
        Elf64_Shdr section;
        read_at(file, header.e_shoff + (uint64_t)i * header.e_shentsize, &section, sizeof section);
        bytes += (section.sh_flags & SHF_ALLOC) != 0 ? section.sh_size : 0;
    }
    fclose(file);
    printf("bytes=%llu\n", (unsigned long long)bytes);
    return 0;
}
