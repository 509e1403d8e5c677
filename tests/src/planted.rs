//! Native code with planted instructions, signed as usual.

use edgec_artifact::elf::ElfImage;
use edgec_compiler::Image;

use crate::corpus::{Forge, Material, material};

/// A family's artifact, and the facts that are needed to plant something in it.
pub struct Bed<'a> {
    /// The artifact in parts, and its signer's key.
    pub forge: Forge<'a>,
    /// Where the code begins in the image.
    pub text: usize,
    /// Its length in bytes.
    pub len: usize,
    /// The starts of the functions in the code: every place where a frame is set up.
    pub starts: Vec<usize>,
    /// The function that may be overwritten.
    pub number: usize,
    /// The place after its prologue.
    pub at: usize,
    room: usize,
    nop: &'static [u8],
    trap: &'static [u8],
}

const FRAMES: [&[u8]; 2] = [
    &[0x55, 0x48, 0x89, 0xe5],
    &[0xfd, 0x7b, 0xbf, 0xa9, 0xfd, 0x03, 0x00, 0x91],
];
const NOPS: [(&[u8], &[u8]); 2] = [
    (&[0x90], &[0x0f, 0x0b]),
    (&[0x1f, 0x20, 0x03, 0xd5], &[0x1f, 0xc1, 0, 0]),
];

impl<'a> Bed<'a> {
    fn new(file: &'a [u8], material: &'a Material) -> Self {
        let forge = Forge::new(file, &material.signer);
        let elf = ElfImage::parse(&forge.image).unwrap();
        let text = elf.sections.iter().find(|it| it.name == ".text").unwrap();
        let (text, len) = (text.offset as usize, text.size as usize);
        let code = &forge.image[text..text + len];
        let family = usize::from(forge.manifest.target.triple.starts_with("aarch64"));
        let frame = FRAMES[family];
        let starts: Vec<usize> = (0..len)
            .filter(|at| code[*at..].starts_with(frame))
            .collect();
        // A function in the middle with enough space.
        let roomy = |number: &usize| starts[number + 1] - starts[*number] >= 160;
        let number = (starts.len() / 2..starts.len() - 1).find(roomy).unwrap();
        let at = starts[number] + frame.len();
        let room = starts[number + 1] - at;
        let (nop, trap) = NOPS[family];
        Self {
            forge,
            text,
            len,
            starts,
            number,
            at,
            room,
            nop,
            trap,
        }
    }

    /// The family: the first part of the triple.
    pub fn family(&self) -> &str {
        self.forge.manifest.target.triple.split('-').next().unwrap()
    }

    /// Changes the engine's table of functions so that it leads into the middle of a function.
    pub fn with_entry_astray(&self) -> Vec<u8> {
        let image = Image::parse(&self.forge.image).unwrap();
        let functions = image
            .functions(edgec_compiler::ProgramKind::Component)
            .unwrap();
        // A row in the form of the metadata: place and length.
        let row = |start: u64, size: u64| postcard::to_allocvec(&(start, size)).unwrap();
        self.forge.with_image(|image| {
            let elf = ElfImage::parse(image).unwrap();
            let mut sections = elf.sections.iter();
            let info = sections.find(|it| it.name == ".wasmtime.info").unwrap();
            let info = &mut image[info.offset as usize..][..info.size as usize];
            let function = &functions[functions.len() / 2];
            let (from, to) = (
                row(function.start, function.size),
                row(function.start + 4, function.size),
            );
            let at = info.windows(from.len()).position(|bytes| bytes == from);
            info[at.unwrap()..][..to.len()].copy_from_slice(&to);
        })
    }

    /// Replaces the function's body with these bytes, instructions that do nothing, and a trap. Its
    /// constants become instructions too.
    pub fn plant(&self, bytes: &[u8]) -> Vec<u8> {
        self.forge.with_image(|image| {
            let body = &mut image[self.text + self.at..][..self.room];
            let end = body.len() - self.trap.len();
            let (code, trap) = body.split_at_mut(end);
            code[..bytes.len()].copy_from_slice(bytes);
            let rest = &mut code[bytes.len()..];
            for (at, byte) in rest.iter_mut().enumerate() {
                *byte = self.nop[at % self.nop.len()];
            }
            trap.copy_from_slice(self.trap);
        })
    }
}

/// Instructions that do not belong in guest code, as bytes, each with the problem that the audit
/// must report.
const X86_64: &[(&[u8], &str)] = &[
    (&[0x0f, 0x05], "system-call"),                             // syscall
    (&[0x0f, 0x34], "system-call"),                             // sysenter
    (&[0x48, 0x0f, 0x07], "system-call"),                       // sysretq
    (&[0xcd, 0x80], "interrupt"),                               // int 0x80
    (&[0xcc], "interrupt"),                                     // int3
    (&[0xf1], "interrupt"),                                     // int1
    (&[0x48, 0xcf], "interrupt"),                               // iretq
    (&[0xec], "input-output"),                                  // in al, dx
    (&[0xe7, 0x10], "input-output"),                            // out 0x10, eax
    (&[0x6e], "input-output"),                                  // outsb
    (&[0xf4], "privileged"),                                    // hlt
    (&[0xfa], "privileged"),                                    // cli
    (&[0xfb], "privileged"),                                    // sti
    (&[0x0f, 0x22, 0xd8], "privileged"),                        // mov cr3, rax
    (&[0x0f, 0x21, 0xf8], "privileged"),                        // mov rax, dr7
    (&[0x0f, 0x30], "privileged"),                              // wrmsr
    (&[0x0f, 0x32], "privileged"),                              // rdmsr
    (&[0x0f, 0x01, 0x10], "privileged"),                        // lgdt [rax]
    (&[0x0f, 0x01, 0x38], "privileged"),                        // invlpg [rax]
    (&[0x0f, 0x01, 0xef], "protection-keys"),                   // wrpkru
    (&[0x0f, 0x01, 0xee], "protection-keys"),                   // rdpkru
    (&[0x0f, 0xae, 0x28], "extended-state"),                    // xrstor [rax]
    (&[0x0f, 0xc7, 0x18], "extended-state"),                    // xrstors [rax]
    (&[0x0f, 0xae, 0x20], "extended-state"),                    // xsave [rax]
    (&[0x0f, 0x01, 0xd1], "extended-state"),                    // xsetbv
    (&[0x0f, 0xae, 0x10], "extended-state"),                    // ldmxcsr [rax]
    (&[0x0f, 0xae, 0x08], "extended-state"),                    // fxrstor [rax]
    (&[0xf3, 0x48, 0x0f, 0xae, 0xd0], "segment"),               // wrfsbase rax
    (&[0xf3, 0x48, 0x0f, 0xae, 0xd8], "segment"),               // wrgsbase rax
    (&[0xf3, 0x48, 0x0f, 0xae, 0xc0], "segment"),               // rdfsbase rax
    (&[0x8e, 0xe0], "segment"),                                 // mov fs, eax
    (&[0x8c, 0xe8], "segment"),                                 // mov eax, gs
    (&[0x0f, 0xa0], "segment"),                                 // push fs
    (&[0x0f, 0xa9], "segment"),                                 // pop gs
    (&[0x0f, 0xb4, 0x00], "segment"),                           // lfs eax, [rax]
    (&[0x64, 0x48, 0x8b, 0x00], "segment"),                     // mov rax, fs:[rax]
    (&[0x65, 0x48, 0x89, 0x00], "segment"),                     // mov gs:[rax], rax
    (&[0xff, 0x28], "far-transfer"),                            // jmp far [rax]
    (&[0xff, 0x18], "far-transfer"),                            // call far [rax]
    (&[0xcb], "far-transfer"),                                  // retf
    (&[0x0f, 0x01, 0xc1], "virtualization"),                    // vmcall
    (&[0x0f, 0x01, 0xd9], "virtualization"),                    // vmmcall
    (&[0x0f, 0x01, 0xd7], "virtualization"),                    // enclu
    (&[0x0f, 0x31], "clock"),                                   // rdtsc
    (&[0x0f, 0x01, 0xf9], "clock"),                             // rdtscp
    (&[0x0f, 0x33], "clock"),                                   // rdpmc
    (&[0x0f, 0xae, 0x38], "cache"),                             // clflush [rax]
    (&[0x66, 0x0f, 0xae, 0x38], "cache"),                       // clflushopt [rax]
    (&[0x0f, 0x18, 0x08], "cache"),                             // prefetcht0 [rax]
    (&[0x0f, 0x01, 0xd5], "transaction"),                       // xend
    (&[0xf3, 0x90], "wait"),                                    // pause
    (&[0xf3, 0x0f, 0xae, 0xf0], "wait"),                        // umonitor rax
    (&[0xf3, 0x48, 0x0f, 0xae, 0xe8], "shadow-stack"),          // incsspq rax
    (&[0x0f, 0xa2], "machine"),                                 // cpuid
    (&[0x0f, 0x01, 0x00], "machine"),                           // sgdt [rax]
    (&[0xf3, 0xa4], "unexpected"),                              // rep movsb
    (&[0xa5], "unexpected"),                                    // movsd, of strings
    (&[0xf3, 0xa5], "unexpected"),                              // rep movsd
    (&[0xa7], "unexpected"),                                    // cmpsd, of strings
    (&[0xab], "unexpected"),                                    // stosd
    (&[0xd7], "unexpected"),                                    // xlatb
    (&[0x0f, 0xfc, 0xc1], "unexpected"),                        // paddb mm0, mm1
    (&[0x0f, 0x6e, 0xc0], "unexpected"),                        // movd mm0, eax
    (&[0x0f, 0xd7, 0xc0], "unexpected"),                        // pmovmskb eax, mm0
    (&[0x48, 0xa1, 0, 0, 0, 0, 0, 0, 0, 0x10], "unexpected"),   // mov rax, [an absolute address]
    (&[0xa2, 0, 0, 0, 0, 0, 0, 0, 0x10], "unexpected"),         // mov [an absolute address], al
    (&[0xf7, 0xc8, 1, 0, 0, 0], "unexpected"),                  // test eax, 1, by its other opcode
    (&[0xc5, 0xfc, 0x58, 0xc0], "unexpected"),                  // vaddps ymm0, ymm0, ymm0
    (&[0x62, 0xf1, 0x7c, 0x08, 0x58, 0xc0], "unexpected"),      // vaddps, by EVEX
    (&[0xf2, 0xf0, 0x87, 0x08], "transaction"),                 // xacquire lock xchg [rax], ecx
    (&[0xf3, 0x87, 0x08], "transaction"),                       // xrelease xchg [rax], ecx
    (&[0xf3, 0xc6, 0x00, 0x00], "transaction"),                 // xrelease mov byte [rax], 0
    (&[0xf3, 0x01, 0xc8], "unexpected"),                        // add eax, ecx, with a prefix
    (&[0xf2, 0xf3, 0x0f, 0x10, 0xc1], "unexpected"),            // movss xmm0, xmm1, with two
    (&[0x0f, 0xc7, 0xf0], "unexpected"),                        // rdrand eax
    (&[0xd9, 0xe8], "unexpected"),                              // fld1
    (&[0x67, 0x8b, 0x00], "unexpected"),                        // mov eax, [eax]
    (&[0x66, 0x67, 0x8b, 0x00], "unexpected"),                  // mov ax, [eax]
    (&[0x48, 0x66, 0xff, 0xe0], "unexpected"),                  // jmp rax, with prefixes
    (&[0xc5, 0xf8, 0x58, 0xc0], "feature"),                     // vaddps xmm0, xmm0, xmm0
    (&[0xf3, 0x0f, 0xbd, 0xc0], "feature"),                     // lzcnt eax, eax
    (&[0x62, 0xf1, 0xfd, 0x08, 0x58, 0xc0], "feature"),         // vaddpd, by EVEX
    (&[0xeb, 0x02, 0x48, 0x89, 0xe5], "branch"),                // jmp into mov rbp, rsp
    (&[0x0f, 0x84, 0x00, 0x00, 0x00, 0x70], "branch"),          // je beyond the code
    (&[0x48, 0x8d, 0x05, 0x00, 0x00, 0x00, 0x70], "reference"), // lea beyond the code
    // A load of a constant, and its address.
    (
        &[
            0x48, 0x8d, 0x05, 0x0c, 0x00, 0x00, 0x00, // lea rax, [rip + 12]
            0xf2, 0x0f, 0x10, 0x05, 0x04, 0x00, 0x00, 0x00, // movsd xmm0, [rip + 4]
            0xeb, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // jmp around it
        ],
        "reference",
    ),
    (
        &[0xf2, 0x0f, 0x10, 0x05, 0xf8, 0xff, 0xff, 0xff],
        "reference",
    ), // a load of itself
    // mov [rip + 2], eax: a store, which the next instruction jumps around.
    (
        &[0x89, 0x05, 0x02, 0, 0, 0, 0xeb, 0x04, 0, 0, 0, 0],
        "unexpected",
    ),
    // prefetchit0 [rip + 2]
    (&[0x0f, 0x18, 0x3d, 0x02, 0, 0, 0, 0xeb, 0x01, 0], "cache"),
    // jmp [rip + 2]
    (
        &[
            0xff, 0x25, 0x02, 0, 0, 0, 0xeb, 0x08, 0, 0, 0, 0, 0, 0, 0, 0,
        ],
        "unexpected",
    ),
    // call [rip + 2]
    (
        &[
            0xff, 0x15, 0x02, 0, 0, 0, 0xeb, 0x08, 0, 0, 0, 0, 0, 0, 0, 0,
        ],
        "unexpected",
    ),
    (&[0x06], "undecodable"),
    (&[0xff, 0xff], "undecodable"),
];

const AARCH64: &[(u32, &str)] = &[
    (0xd400_0001, "system-call"),     // svc #0
    (0xd400_0002, "virtualization"),  // hvc #0
    (0xd400_0003, "virtualization"),  // smc #0
    (0xd420_0000, "interrupt"),       // brk #0
    (0xd440_0000, "interrupt"),       // hlt #0
    (0xd4a0_0001, "interrupt"),       // dcps1
    (0xd69f_03e0, "privileged"),      // eret
    (0xd518_1000, "privileged"),      // msr sctlr_el1, x0
    (0xd538_1000, "privileged"),      // mrs x0, sctlr_el1
    (0xd503_42df, "privileged"),      // msr daifset, #2
    (0xd508_871f, "privileged"),      // tlbi vmalle1
    (0xd508_7800, "privileged"),      // at s1e1r, x0
    (0xd518_2100, "privileged"),      // msr apiakeylo_el1, x0
    (0xf840_0800, "privileged"),      // ldtr x0, [x0]
    (0xb800_0800, "privileged"),      // sttr w0, [x0]
    (0xd53b_d040, "segment"),         // mrs x0, tpidr_el0
    (0xd51b_d040, "segment"),         // msr tpidr_el0, x0
    (0xd51b_4400, "extended-state"),  // msr fpcr, x0
    (0xd51b_a280, "protection-keys"), // msr por_el0, x0
    (0xd53b_e040, "clock"),           // mrs x0, cntvct_el0
    (0xd53b_9d00, "clock"),           // mrs x0, pmccntr_el0
    (0xd50b_7e20, "cache"),           // dc civac, x0
    (0xd50b_7420, "cache"),           // dc zva, x0
    (0xd50b_7520, "cache"),           // ic ivau, x0
    (0xf980_0000, "cache"),           // prfm pldl1keep, [x0]
    (0xd523_3060, "transaction"),     // tstart x0
    (0xd503_205f, "wait"),            // wfe
    (0xd503_207f, "wait"),            // wfi
    (0xd503_203f, "wait"),            // yield
    (0xd91f_0c00, "shadow-stack"),    // gcsstr x0, [x0]
    (0xd538_0000, "machine"),         // mrs x0, midr_el1
    (0xd53b_0020, "machine"),         // mrs x0, ctr_el0
    (0xd920_0800, "memory-tags"),     // stg x0, [x0]
    (0x9ac0_1000, "memory-tags"),     // irg x0, x0, x0
    (0xd503_3fdf, "unexpected"),      // isb
    (0x9000_0000, "unexpected"),      // adrp x0
    (0xb8bf_c000, "unexpected"),      // ldapr w0, [x0]
    (0xd503_233f, "unexpected"),      // paciasp
    (0xd503_211f, "unexpected"),      // pacia1716
    (0xd503_245f, "unexpected"),      // bti c
    (0xd503_20ff, "unexpected"),      // xpaclri
    (0xd65f_0bff, "unexpected"),      // retaa
    (0xffff_ffff, "unexpected"),
    (0xb8e0_0041, "feature"),   // ldaddal w0, w1, [x2]
    (0x1ee0_2800, "feature"),   // fadd h0, h0, h0
    (0x15ff_ffff, "branch"),    // b beyond the code
    (0x3603_ffe0, "branch"),    // tbz to padding behind the code
    (0x5800_0000, "reference"), // ldr x0 of itself
    (0x507f_ffe0, "reference"), // adr beyond the code
];

/// Planted bytes, each with the problem that the audit must report.
pub type Planted = Vec<(Vec<u8>, &'static str)>;

/// The artifacts of both families, and everything that is planted in each.
pub fn beds() -> Vec<(Bed<'static>, Planted)> {
    let material = material();
    let files = [&material.hello, &material.foreign];
    let beds = files.map(|file| Bed::new(file, material));
    let planted = |bed: Bed<'static>| {
        let mut planted: Planted = match bed.family() {
            "x86_64" => X86_64
                .iter()
                .map(|(bytes, kind)| (bytes.to_vec(), *kind))
                .collect(),
            _ => AARCH64
                .iter()
                .map(|(word, kind)| (word.to_le_bytes().to_vec(), *kind))
                .collect(),
        };
        // The address of a constant that is loaded.
        if bed.family() == "aarch64" {
            // adr x0, constant; ldr x0, constant; b over it.
            let words = [0x1000_0060, 0x5800_0040, 0x1400_0003, 0, 0_u32];
            let bytes = words.iter().flat_map(|word| word.to_le_bytes());
            planted.push((bytes.collect(), "reference"));
        }
        // A call into the middle of another function.
        let other =
            bed.starts[bed.number - 1] + FRAMES[usize::from(bed.family() != "x86_64")].len();
        let distance = other as i64 - bed.at as i64;
        planted.push(match bed.family() {
            "x86_64" => {
                let distance = i32::try_from(distance - 5).unwrap();
                ([&[0xe8][..], &distance.to_le_bytes()].concat(), "branch")
            }
            _ => {
                let distance = i32::try_from(distance / 4).unwrap().cast_unsigned() & 0x03ff_ffff;
                ((0x9400_0000 | distance).to_le_bytes().to_vec(), "branch")
            }
        });
        (bed, planted)
    };
    beds.into_iter().map(planted).collect()
}
