//! Every instruction that Cranelift 0.135 can emit for x86-64, by name.
//!
//! The names are those of iced-x86 for the instructions in `cranelift-assembler-x64-meta` 0.135
//! (`instructions.rs`, from which its assembler is made), without `hlt` and `int3`, because no
//! WebAssembly compiles to them. If an instruction has another form with another meaning (`mov` to
//! a control register), [`super::x86_64_encodings`] tells the forms apart.

/// The names, in lowercase, sorted.
pub(super) const EMITTED: &str = "\
    adc add addpd addps addsd addss and andn andnpd andnps andpd andps blendvpd blendvps blsi \
    blsmsk blsr bsf bsr bswap bt bzhi call cbw cdq cdqe cmova cmovae cmovb cmovbe cmove cmovg \
    cmovge cmovl cmovle cmovne cmovno cmovnp cmovns cmovo cmovp cmovs cmp cmppd cmpps cmpsd \
    cmpss cmpxchg cmpxchg16b cqo cvtdq2pd cvtdq2ps cvtpd2ps cvtps2pd cvtsd2si cvtsd2ss cvtsi2sd \
    cvtsi2ss cvtss2sd cvtss2si cvttpd2dq cvttps2dq cvttsd2si cvttss2si cwd cwde div divpd divps \
    divsd divss extractps idiv imul insertps ja jae jb jbe je jg jge jl jle jmp jne jno jnp jns \
    jo jp js lea lfence lzcnt maxpd maxps maxsd maxss mfence minpd minps minsd minss mov movapd \
    movaps movd movddup movdqa movdqu movhps movlhps movmskpd movmskps movq movsd movss movsx \
    movsxd movupd movups movzx mul mulpd mulps mulsd mulss mulx neg nop not or orpd orps pabsb \
    pabsd pabsw packssdw packsswb packusdw packuswb paddb paddd paddq paddsb paddsw paddusb \
    paddusw paddw palignr pand pandn pavgb pavgw pblendvb pblendw pcmpeqb pcmpeqd pcmpeqq \
    pcmpeqw pcmpgtb pcmpgtd pcmpgtq pcmpgtw pextrb pextrd pextrq pextrw phaddd phaddw pinsrb \
    pinsrd pinsrq pinsrw pmaddubsw pmaddwd pmaxsb pmaxsd pmaxsw pmaxub pmaxud pmaxuw pminsb \
    pminsd pminsw pminub pminud pminuw pmovmskb pmovsxbd pmovsxbq pmovsxbw pmovsxdq pmovsxwd \
    pmovsxwq pmovzxbd pmovzxbq pmovzxbw pmovzxdq pmovzxwd pmovzxwq pmuldq pmulhrsw pmulhuw \
    pmulhw pmulld pmullw pmuludq pop popcnt por pshufb pshufd pshufhw pshuflw pslld psllq psllw \
    psrad psraw psrld psrlq psrlw psubb psubd psubq psubsb psubsw psubusb psubusw psubw ptest \
    punpckhbw punpckhdq punpckhqdq punpckhwd punpcklbw punpckldq punpcklqdq punpcklwd push pxor \
    rcpps rcpss ret rol ror rorx roundpd roundps roundsd roundss rsqrtps rsqrtss sar sarx sbb \
    seta setae setb setbe sete setg setge setl setle setne setno setnp setns seto setp sets \
    sfence shl shld shlx shr shrx shufpd shufps sqrtpd sqrtps sqrtsd sqrtss sub subpd subps \
    subsd subss test tzcnt ucomisd ucomiss ud2 unpckhps unpcklpd unpcklps vaddpd vaddps vaddsd \
    vaddss vandnpd vandnps vandpd vandps vblendvpd vblendvps vbroadcastss vcmppd vcmpps vcmpsd \
    vcmpss vcvtdq2pd vcvtdq2ps vcvtpd2ps vcvtps2pd vcvtsd2si vcvtsd2ss vcvtsi2sd vcvtsi2ss \
    vcvtss2sd vcvtss2si vcvttpd2dq vcvttps2dq vcvttsd2si vcvttss2si vcvtudq2ps vdivpd vdivps \
    vdivsd vdivss vextractps vfmadd132pd vfmadd132ps vfmadd132sd vfmadd132ss vfmadd213pd \
    vfmadd213ps vfmadd213sd vfmadd213ss vfmadd231pd vfmadd231ps vfmadd231sd vfmadd231ss \
    vfmsub132pd vfmsub132ps vfmsub132sd vfmsub132ss vfmsub213pd vfmsub213ps vfmsub213sd \
    vfmsub213ss vfmsub231pd vfmsub231ps vfmsub231sd vfmsub231ss vfnmadd132pd vfnmadd132ps \
    vfnmadd132sd vfnmadd132ss vfnmadd213pd vfnmadd213ps vfnmadd213sd vfnmadd213ss vfnmadd231pd \
    vfnmadd231ps vfnmadd231sd vfnmadd231ss vfnmsub132pd vfnmsub132ps vfnmsub132sd vfnmsub132ss \
    vfnmsub213pd vfnmsub213ps vfnmsub213sd vfnmsub213ss vfnmsub231pd vfnmsub231ps vfnmsub231sd \
    vfnmsub231ss vinsertps vmaxpd vmaxps vmaxsd vmaxss vminpd vminps vminsd vminss vmovapd \
    vmovaps vmovd vmovddup vmovdqa vmovdqu vmovhps vmovlhps vmovmskpd vmovmskps vmovq vmovsd \
    vmovss vmovupd vmovups vmulpd vmulps vmulsd vmulss vorpd vorps vpabsb vpabsd vpabsq vpabsw \
    vpackssdw vpacksswb vpackusdw vpackuswb vpaddb vpaddd vpaddq vpaddsb vpaddsw vpaddusb \
    vpaddusw vpaddw vpalignr vpand vpandn vpavgb vpavgw vpblendvb vpblendw vpbroadcastb \
    vpbroadcastd vpbroadcastq vpbroadcastw vpcmpeqb vpcmpeqd vpcmpeqq vpcmpeqw vpcmpgtb vpcmpgtd \
    vpcmpgtq vpcmpgtw vpdpbusd vpermi2b vpextrb vpextrd vpextrq vpextrw vphaddd vphaddw vpinsrb \
    vpinsrd vpinsrq vpinsrw vpmaddubsw vpmaddwd vpmaxsb vpmaxsd vpmaxsw vpmaxub vpmaxud vpmaxuw \
    vpminsb vpminsd vpminsw vpminub vpminud vpminuw vpmovmskb vpmovsxbd vpmovsxbq vpmovsxbw \
    vpmovsxdq vpmovsxwd vpmovsxwq vpmovzxbd vpmovzxbq vpmovzxbw vpmovzxdq vpmovzxwd vpmovzxwq \
    vpmuldq vpmulhrsw vpmulhuw vpmulhw vpmulld vpmullq vpmullw vpmuludq vpopcntb vpopcntw vpor \
    vpshufb vpshufd vpshufhw vpshuflw vpslld vpsllq vpsllw vpsrad vpsraq vpsraw vpsrld vpsrlq \
    vpsrlw vpsubb vpsubd vpsubq vpsubsb vpsubsw vpsubusb vpsubusw vpsubw vptest vpunpckhbw \
    vpunpckhdq vpunpckhqdq vpunpckhwd vpunpcklbw vpunpckldq vpunpcklqdq vpunpcklwd vpxor vrcpps \
    vrcpss vroundpd vroundps vroundsd vroundss vrsqrtps vrsqrtss vshufpd vshufps vsqrtpd vsqrtps \
    vsqrtsd vsqrtss vsubpd vsubps vsubsd vsubss vucomisd vucomiss vunpckhps vunpcklpd vunpcklps \
    vxorpd vxorps xadd xchg xor xorpd xorps";

/// The names that have an EVEX form there, sorted.
pub(super) const EMITTED_EVEX: &str = "\
    vaddpd vcvtudq2ps vpabsd vpabsq vpdpbusd vpermi2b vpmulld vpmullq vpopcntb vpopcntw vpslld \
    vpsllq vpsrad vpsraq vpsrld vpsrlq";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{EMITTED, EMITTED_EVEX};

    #[test]
    fn each_name_is_an_instruction_and_stands_once() {
        let known: BTreeSet<String> = iced_x86::Mnemonic::values()
            .map(|mnemonic| format!("{mnemonic:?}").to_lowercase())
            .collect();
        let names: Vec<&str> = EMITTED.split_whitespace().collect();
        assert!(names.is_sorted_by(|one, next| one < next));
        for name in names {
            assert!(known.contains(name), "{name}");
        }
        let evex: Vec<&str> = EMITTED_EVEX.split_whitespace().collect();
        assert!(evex.is_sorted_by(|one, next| one < next));
        let emitted: BTreeSet<&str> = EMITTED.split_whitespace().collect();
        assert!(evex.iter().all(|name| emitted.contains(name)));
    }
}
