/* clang-format off */
/* curve_cases.h - written by make_curve_cases.py; not edited by hand. */
#ifndef LLMFP_CURVE_CASES_H
#define LLMFP_CURVE_CASES_H

#include <stddef.h>

struct curve_case {
    const char *name;
    const double *a, *b;
    size_t n_a, n_b;
    const double *resampled;   /* numpy: the shorter (or a) on the longer's grid */
    const double *signature_a; /* exact, rounded once */
    double pearson;            /* exact, rounded once */
    double numpy;              /* numpy.corrcoef; NaN where it is not accurate */
};

static const double case_0_a[] = {
    0x1.39c50b644b895p-6, 0x1.283c403c08f48p-6, 0x1.029e2ea35aa60p-6,
};
static const double case_0_b[] = {
    0x1.3a4e1033858a1p-6, 0x1.4ba3b2f87b9ffp-6, 0x1.7f9532d18037cp-6,
};
static const double case_0_r[] = {
    0x1.39c50b644b895p-6, 0x1.283c403c08f48p-6, 0x1.029e2ea35aa60p-6,
};
static const double case_0_z[] = {
    0x1.0d958ffbc52aap+0, 0x1.29f17d6bfc02dp-2, -0x1.5811ef56c42b5p+0,
};
static const double case_1_a[] = {
    0x1.4c7dcaa81d992p-6, 0x1.5ed97a96d0051p-6, 0x1.7ead35340787cp-6,
};
static const double case_1_b[] = {
    0x1.7334b7578cef2p-6, 0x1.6a12343b87b0dp-6, 0x1.4604317ef84c6p-6, 0x1.22446417e0835p-6,
};
static const double case_1_r[] = {
    0x1.4c7dcaa81d992p-6, 0x1.58baea9c948bcp-6, 0x1.69756375e285fp-6, 0x1.7ead35340787cp-6,
};
static const double case_1_z[] = {
    -0x1.1a1e6358cdff0p+0, -0x1.bb7ec6b3063a5p-3, 0x1.518e3c2f2ec65p+0,
};
static const double case_2_a[] = {
    0x1.385eae5d15c07p-6, 0x1.42053c38c2511p-6, 0x1.045301b34ca66p-6,
};
static const double case_2_b[] = {
    0x1.4ac1c602fd82fp-6, 0x1.5d820976bb2e9p-6, 0x1.4adb47783f715p-6, 0x1.64dbc8d12c48ep-6,
    0x1.7ff4e14770d55p-6, 0x1.9061b0994c7acp-6, 0x1.807d8dee0c8cap-6, 0x1.650dced16b4a8p-6,
};
static const double case_2_r[] = {
    0x1.385eae5d15c07p-6, 0x1.3b208dc06ba0ap-6, 0x1.3de26d23c180dp-6, 0x1.40a44c8717610p-6,
    0x1.3934eab7faa66p-6, 0x1.279447b66b511p-6, 0x1.15f3a4b4dbfbcp-6, 0x1.045301b34ca66p-6,
};
static const double case_2_z[] = {
    0x1.0b047a749924ap-1, 0x1.c15d89512588dp-1, -0x1.663101e2df56bp+0,
};
static const double case_3_a[] = {
    0x1.2c14c189bc06cp-6, 0x1.239b8745713dfp-6, 0x1.f28fa8a3e50d9p-7, 0x1.00e65591b6cacp-6,
    0x1.12d46c3bf4f5ep-6, 0x1.0009d119d510ap-6, 0x1.15bf717321c25p-6, 0x1.238fb28ece5ccp-6,
    0x1.1ee21da19da05p-6, 0x1.2927840aefc89p-6, 0x1.113143ae91425p-6, 0x1.12226805507b3p-6,
};
static const double case_3_b[] = {
    0x1.7a6196997d040p-6, 0x1.6eee994248ca9p-6, 0x1.8d1069bd8c824p-6, 0x1.4f7c28b1595f3p-6,
    0x1.61a591e29d19ap-6, 0x1.78a2348a0ea03p-6, 0x1.6c97972f71dedp-6, 0x1.571cd80c7c932p-6,
    0x1.5997c4f532049p-6, 0x1.6ad644541cfc4p-6, 0x1.8d7421826f867p-6, 0x1.6e623911c95bbp-6,
};
static const double case_3_r[] = {
    0x1.2c14c189bc06cp-6, 0x1.239b8745713dfp-6, 0x1.f28fa8a3e50d9p-7, 0x1.00e65591b6cacp-6,
    0x1.12d46c3bf4f5ep-6, 0x1.0009d119d510ap-6, 0x1.15bf717321c25p-6, 0x1.238fb28ece5ccp-6,
    0x1.1ee21da19da05p-6, 0x1.2927840aefc89p-6, 0x1.113143ae91425p-6, 0x1.12226805507b3p-6,
};
static const double case_3_z[] = {
    0x1.687b7f41756d8p+0, 0x1.c302912208618p-1, -0x1.c0bb7fc5ceccep+0, -0x1.475d610457037p+0,
    -0x1.4e04ee4baa3afp-3, -0x1.55160fa9e0026p+0, 0x1.2eb7e50ca91b4p-6, 0x1.c189a6bdc13cap-1,
    0x1.2c8071a09cf25p-1, 0x1.39dca59b83ff9p+0, -0x1.0f56042c59e36p-2, -0x1.a6a24f466e368p-3,
};
static const double case_4_a[] = {
    0x1.2b6a8dd447287p-6, 0x1.1a65aeae3ab76p-6, 0x1.0826ff02377eep-6, 0x1.327b585015278p-6,
    0x1.17340c4f197d6p-6, 0x1.35e9993120f6fp-6, 0x1.51ac6fb41e00ap-6, 0x1.597cd9f400283p-6,
    0x1.54c2d80dbec84p-6, 0x1.35ae6a521fc55p-6, 0x1.44c9c75902adap-6, 0x1.5b71728a0f62fp-6,
};
static const double case_4_b[] = {
    0x1.48a61c8079863p-6, 0x1.1dbe16967f5c1p-6, 0x1.14bffa96cc448p-6, 0x1.1295a6dfbb263p-6,
    0x1.0d5a3c1164416p-6, 0x1.262469f5fa657p-6, 0x1.0e996c1ba727fp-6, 0x1.1146335332c5dp-6,
    0x1.314ea9ee1deaep-6, 0x1.508ea9266b97bp-6, 0x1.61db814845cbep-6, 0x1.70613c4ba19cap-6,
    0x1.6aadea099dcb8p-6, 0x1.71092b1d79185p-6, 0x1.5508bbdf1202dp-6, 0x1.72e99449593a9p-6,
    0x1.6d9a1e9736227p-6, 0x1.7a38e9958264dp-6, 0x1.75b1bf69cee68p-6, 0x1.70ee711fed45ap-6,
    0x1.91f4d85f0d9acp-6, 0x1.85bc58a706f7cp-6, 0x1.980998250b760p-6, 0x1.8e09d47fc9ccdp-6,
};
static const double case_4_r[] = {
    0x1.2b6a8dd447287p-6, 0x1.2346d53162995p-6, 0x1.1b231c8e7e0a3p-6, 0x1.1276f2ff44725p-6,
    0x1.09bd248b9bf31p-6, 0x1.18b74e79bac0ep-6, 0x1.2cf5e87d94118p-6, 0x1.28fe5f449c3a4p-6,
    0x1.1bf288d4d5f40p-6, 0x1.208cb19f05810p-6, 0x1.2f3c90d378621p-6, 0x1.3d278e5e6e1aep-6,
    0x1.4a6e7a86d0dccp-6, 0x1.535f4f262dc67p-6, 0x1.571c078783acep-6, 0x1.58aa6a51857bbp-6,
    0x1.5667b752b4214p-6, 0x1.50b50c85f7f46p-6, 0x1.41d7cce97440ep-6, 0x1.36feb53154e4ap-6,
    0x1.3e3850fcf910fp-6, 0x1.45c5f02e9f0e9p-6, 0x1.509bb15c5738cp-6, 0x1.5b71728a0f62fp-6,
};
static const double case_4_z[] = {
    -0x1.f00a3eb52fabdp-2, -0x1.200971fdad1e9p+0, -0x1.cfe0d3d2021cdp+0, -0x1.bf4d9d780b920p-3,
    -0x1.3ed1aee8d4a07p+0, -0x1.6d939b0170320p-4, 0x1.e96ada464fb20p-1, 0x1.40052156af702p+0,
    0x1.1277420558138p+0, -0x1.9139f8a44d8efp-4, 0x1.e215cf4cc2fcep-2, 0x1.52ddccfcccf93p+0,
};
static const double case_5_a[] = {
    0x1.3bc2cd652b438p-6, 0x1.1fa706a7daa69p-6, 0x1.0749d38d6b816p-6, 0x1.1993320063548p-6,
    0x1.35dd4f6eaaa14p-6, 0x1.43767a88d0cf7p-6, 0x1.2e4defbde2a08p-6, 0x1.3bc7e27b59005p-6,
    0x1.2dff7c81ed07bp-6, 0x1.12b97b8c311c6p-6, 0x1.1d6569e1650a7p-6, 0x1.27b95c9486bd2p-6,
    0x1.0f0487d337d55p-6, 0x1.37fc9b660b575p-6, 0x1.45c11db2b2347p-6, 0x1.414d70ea9053cp-6,
    0x1.3b205d06e141cp-6, 0x1.5bdb32669bc9bp-6, 0x1.4a84f5ffa6c23p-6, 0x1.3d24c456bb7d3p-6,
    0x1.34489cdeda5d7p-6, 0x1.226a8ea8fc848p-6, 0x1.125af33fadbdap-6, 0x1.f3542cfca556dp-7,
};
static const double case_5_b[] = {
    0x1.562e0f03c0878p-6, 0x1.59719729b0ba4p-6, 0x1.6c054c7fe03b7p-6, 0x1.7f1e900617f52p-6,
    0x1.91b8b33aa0a50p-6, 0x1.9d04e76bb477bp-6, 0x1.8a24ac8b5cbd7p-6, 0x1.76a79e11fe83bp-6,
    0x1.790c84abb9a60p-6, 0x1.7ada846f8fb9ap-6, 0x1.82eb8bcfff70ep-6, 0x1.770a806f1cfd8p-6,
};
static const double case_5_r[] = {
    0x1.562e0f03c0878p-6, 0x1.57bda92c2846cp-6, 0x1.594d43549005fp-6, 0x1.61854a2dc561cp-6,
    0x1.6a67c24bdc19fp-6, 0x1.737e7d2ed4a58p-6, 0x1.7ca0d5211bd1cp-6, 0x1.8596f55004b7ep-6,
    0x1.8e7c8095aa43ap-6, 0x1.9528efa29b8c1p-6, 0x1.9a9029fcdcae1p-6, 0x1.9818527f18045p-6,
    0x1.8f114177f930dp-6, 0x1.85e818b3c2b0ep-6, 0x1.7c9606a63c954p-6, 0x1.7712357aa49ffp-6,
    0x1.783755da6d6d9p-6, 0x1.7948c76c39bedp-6, 0x1.7a25bc2e0f6f3p-6, 0x1.7b8e15c5dc38ep-6,
    0x1.7f69b52080f4bp-6, 0x1.826753aa64e64p-6, 0x1.7cb8ea0cc0f1ep-6, 0x1.770a806f1cfd8p-6,
};
static const double case_5_z[] = {
    0x1.46f8a8f05c4d6p-1, -0x1.225cf9187b7b3p-1, -0x1.9cbae7fe1f790p+0, -0x1.a7d6fd65c3c38p-1,
    0x1.8af0b74a9cad9p-2, 0x1.f01fb5a4cf061p-1, 0x1.f6e9ad1838d7bp-5, 0x1.476848202931cp-1,
    0x1.8b3a3aef59857p-5, -0x1.1f258034665a6p+0, -0x1.53ead13250bb0p-1, -0x1.c45bda0d60e6ap-3,
    -0x1.47da34db6b53fp+0, 0x1.e82915cbe0a34p-2, 0x1.1139e1e3565f7p+0, 0x1.c0ad976ced45cp-1,
    0x1.390915f6ff6f2p-1, 0x1.01f76b4ff3febp+1, 0x1.458d5684b7f0ap+0, 0x1.6556a09dea0bfp-1,
    0x1.45805561640fbp-2, -0x1.cb538eb139217p-2, -0x1.23339666d080ep+0, -0x1.192b5d835e68ap+1,
};
static const double case_6_a[] = {
    0x1.46d9edcf6431ap-6, 0x1.4c9e06f730687p-6, 0x1.4f4e7284775d1p-6, 0x1.391d4a052301cp-6,
    0x1.2b38b32ae0495p-6, 0x1.39a403a0fbf05p-6, 0x1.308143321a96fp-6, 0x1.24a94d10ec655p-6,
    0x1.2caa99cb520f8p-6, 0x1.31ec6418dba45p-6, 0x1.391b98b4ddd8cp-6, 0x1.41743aaa4d521p-6,
    0x1.27332a90bac4bp-6, 0x1.17c44e957f037p-6, 0x1.0d99e6d487ca5p-6, 0x1.0b66646eebcefp-6,
    0x1.03d2b1caf8308p-6, 0x1.0c9191ae7020cp-6, 0x1.088b1054531fep-6, 0x1.099b3e9e0064bp-6,
    0x1.0a40971959592p-6, 0x1.107267d869a4fp-6, 0x1.fbd7e44942baep-7, 0x1.e9ca97dadab03p-7,
    0x1.df48f052f510ap-7, 0x1.f511dc9e003e7p-7, 0x1.f25e7da0ccf4ep-7, 0x1.fffe9b2fb66f7p-7,
};
static const double case_6_b[] = {
    0x1.38575a6195163p-6, 0x1.3a572b09229eap-6, 0x1.2eaa9ae938a52p-6, 0x1.2fa68da7d152cp-6,
    0x1.2146166511f02p-6, 0x1.18cfdb652f78ap-6, 0x1.23b50b3faa558p-6, 0x1.17a3886577bdcp-6,
    0x1.170facd46a9abp-6, 0x1.0f7341463eb25p-6, 0x1.13989de84107ep-6, 0x1.13ad8bb0926d2p-6,
    0x1.1a18a49c031bcp-6, 0x1.18c9351eceb43p-6, 0x1.089f51296e6bfp-6, 0x1.064d360087f3fp-6,
    0x1.05a6bc5ba19dfp-6, 0x1.f26c6357b017ep-7, 0x1.ee34a6d3fe235p-7, 0x1.ebd6098ac5d67p-7,
    0x1.de54aaa7a2adfp-7, 0x1.e487bf49868a7p-7, 0x1.e8cdfa30e36dcp-7, 0x1.eb868053d31c8p-7,
    0x1.fc9d6a811a15fp-7, 0x1.ecbb0eabd21dcp-7, 0x1.ec7a93d55ff50p-7, 0x1.eb39821de8115p-7,
    0x1.e904e8a5123fbp-7, 0x1.e8d4be277df0ap-7, 0x1.ebc0a5df8624cp-7, 0x1.db5188bad8b52p-7,
};
static const double case_6_r[] = {
    0x1.46d9edcf6431ap-6, 0x1.4bdf901b581f5p-6, 0x1.4e9cca6001f4ap-6, 0x1.41b472787d77bp-6,
    0x1.32645bdd975e3p-6, 0x1.305685654d320p-6, 0x1.3793e8b13caa9p-6, 0x1.2f5bd8cbcbcbfp-6,
    0x1.250b1b3306a90p-6, 0x1.2b60118c3967bp-6, 0x1.3065ad7e37d3fp-6, 0x1.361851189adb8p-6,
    0x1.3ce08702ad17dp-6, 0x1.38fc24f4a22ccp-6, 0x1.24367bdbf9868p-6, 0x1.171c68ec24bdbp-6,
    0x1.0e41cc7de2101p-6, 0x1.0bd37569d0312p-6, 0x1.0644674a2e008p-6, 0x1.089e76e49d0f1p-6,
    0x1.0ae16bf400de5p-6, 0x1.08da15827d2b9p-6, 0x1.09b5e9caaba4ep-6, 0x1.0a73bedd72a5ep-6,
    0x1.0fd8f08c1dbeap-6, 0x1.021ad2ea212b8p-6, 0x1.f03268a73127ap-7, 0x1.e45e626b6c6e6p-7,
    0x1.e7b7bf67bf95fp-7, 0x1.f45f7185f3023p-7, 0x1.f42091f54e2e0p-7, 0x1.fffe9b2fb66f7p-7,
};
static const double case_6_z[] = {
    0x1.8046f380dec4dp+0, 0x1.b4707f89cf814p+0, 0x1.ccc44d5505132p+0, 0x1.04019ca1da16ep+0,
    0x1.0ca5bcf2449a7p-1, 0x1.08c46770c299fp+0, 0x1.6c3db28ed18e9p-1, 0x1.2be8a3f1fde4cp-2,
    0x1.26ca5dea8ea96p-1, 0x1.85e7cb2dac80fp-1, 0x1.03f24ca772719p+0, 0x1.4f7361ad609d7p+0,
    0x1.87c4b4c0a241ep-2, -0x1.4d62b1550c188p-3, -0x1.0b4613b19f230p-1, -0x1.3319ab92eebb0p-1,
    -0x1.bc30af9f43735p-1, -0x1.1df4a7cf5b7efp-1, -0x1.66c99f050606ap-1, -0x1.538d0b7c69a55p-1,
    -0x1.47dd70e241e60p-1, -0x1.af92763b70580p-2, -0x1.137b5aead6f65p+0, -0x1.6522ae79196e7p+0,
    -0x1.94a8aecc8bca9p+0, -0x1.321ed1fe54565p+0, -0x1.3e5611ed87013p+0, -0x1.00b46c5f2f7b6p+0,
};
static const double case_7_a[] = {
    0x1.68aa6c8bc13cep-6, 0x1.69e33c0f70dbfp-6, 0x1.75cca11adfe88p-6, 0x1.5ecd5422f53b8p-6,
    0x1.7aecc649736cdp-6, 0x1.89306311ad5c0p-6, 0x1.926120a184adfp-6, 0x1.660bc3941d955p-6,
    0x1.6370513d21b78p-6, 0x1.73c771d2c3b40p-6, 0x1.6c7a93bfa9381p-6, 0x1.6df3a6ab79b0dp-6,
    0x1.6733106a57d97p-6, 0x1.54dd761b3f1b1p-6, 0x1.44fa4a2909961p-6, 0x1.4c200cfedfd08p-6,
    0x1.46d41f44e1e52p-6, 0x1.4557c9f19e03fp-6, 0x1.5f69f421cd2f2p-6, 0x1.5eda6c7a2df4dp-6,
    0x1.6c3f557fb6e9bp-6, 0x1.592c35d1d4016p-6, 0x1.4b61c0c17351ep-6, 0x1.7ae60a6515ee1p-6,
    0x1.73ae240a6862fp-6, 0x1.7ff7f91bc5f33p-6, 0x1.68fb22ce110a5p-6, 0x1.69e3775741080p-6,
    0x1.7d039cabe1828p-6, 0x1.5163169a67ec8p-6, 0x1.4e49f687e559ap-6,
};
static const double case_7_b[] = {
    0x1.303bc76ca54afp-6, 0x1.3d0b4b5037706p-6, 0x1.47181aca51915p-6, 0x1.416c72290141ep-6,
    0x1.5043291e9b8dbp-6, 0x1.3b1e70f1e6e1cp-6, 0x1.404bd720584cfp-6, 0x1.38deb6060beadp-6,
    0x1.3248096911ddfp-6, 0x1.2e6dbc23a1bd7p-6, 0x1.1bca662cc09f4p-6, 0x1.0cb5d930833adp-6,
    0x1.0486759a87cb6p-6, 0x1.0f4ae29c35e01p-6, 0x1.e2964a3c709dcp-7, 0x1.fd2cb3465d750p-7,
    0x1.f67ba20b8b67fp-7, 0x1.042d1b29740ccp-6, 0x1.08ed514774ce2p-6, 0x1.09193bc56f273p-6,
    0x1.1324416a1fd6fp-6, 0x1.12228dd50aac3p-6, 0x1.1567d1eaa3a15p-6, 0x1.2bdd28f2b2ad7p-6,
    0x1.2e17ec28476e8p-6, 0x1.2bbd81bd839c1p-6, 0x1.2b5dde4946d5ep-6, 0x1.262fbdaedf3c3p-6,
    0x1.2c2f0bf13001ep-6, 0x1.1f034b77dab3fp-6, 0x1.11342ce38add9p-6, 0x1.184dfacc5239bp-6,
    0x1.1276387a1ac7ep-6, 0x1.1fc170dfe6cbcp-6, 0x1.1d7975c206638p-6, 0x1.371859b8333d6p-6,
    0x1.31b24f25c9e2cp-6, 0x1.30f67bf91370ep-6, 0x1.3bb3ec35accdap-6, 0x1.3d6145f14d34dp-6,
    0x1.2ca1804a258b7p-6, 0x1.3cda4ec4b5453p-6, 0x1.342f0e625b868p-6, 0x1.3bf7ed55cae05p-6,
    0x1.39cfbe7a40837p-6, 0x1.4679883b3da09p-6, 0x1.5bcf309a54160p-6, 0x1.568aab4b59440p-6,
    0x1.4fcea3ca51f96p-6, 0x1.5bcee439930bap-6, 0x1.72aba5df8dc78p-6, 0x1.7e182b0ddb5f7p-6,
    0x1.7b9aab031f4e9p-6, 0x1.8edbfb8e8e085p-6, 0x1.903cf28418c6dp-6, 0x1.9cfb24d6a3d43p-6,
    0x1.9d82cf785c792p-6, 0x1.8f305301204cep-6, 0x1.9724b5bb6a0e7p-6, 0x1.9225e9b6673dap-6,
    0x1.96f620bc53a90p-6, 0x1.9682bb3c10657p-6, 0x1.894bac8a54404p-6, 0x1.82bfa19c55648p-6,
    0x1.89c9960a643c9p-6, 0x1.8da6cac141c52p-6, 0x1.846237d747129p-6, 0x1.83371aec9c99cp-6,
    0x1.7d0a8d5c2239fp-6, 0x1.7d093dd8b081ap-6, 0x1.6ed899f6775e9p-6, 0x1.72ce5e4d889edp-6,
    0x1.71f4c7d57f949p-6, 0x1.69f339272e81cp-6, 0x1.61af7b7feaea8p-6, 0x1.57e4d13c00ccfp-6,
    0x1.58f525b6cea04p-6, 0x1.663d1a25cefbbp-6, 0x1.7245a263d68c0p-6, 0x1.606a92aa24977p-6,
    0x1.40e8add1fee3ap-6, 0x1.40d81c86564b2p-6, 0x1.35f49e2013128p-6, 0x1.248df361e0005p-6,
    0x1.269661f95ef7ap-6, 0x1.3f631b3480061p-6, 0x1.2849d61fbb4a4p-6, 0x1.245d3f6d1ef09p-6,
    0x1.1febeb456492ap-6, 0x1.2d433308a2eddp-6, 0x1.36736f43daa69p-6, 0x1.24134aa6a6db6p-6,
    0x1.23ca03815ef32p-6, 0x1.2cbd6efef20dap-6,
};
static const double case_7_r[] = {
    0x1.68aa6c8bc13cep-6, 0x1.690f54a5b7d35p-6, 0x1.69743cbfae69bp-6, 0x1.69d924d9a5002p-6,
    0x1.6d588af1ba63bp-6, 0x1.713037ed2888dp-6, 0x1.7507e4e896adep-6, 0x1.6fdd536f8a929p-6,
    0x1.687232595fe72p-6, 0x1.61071143353bcp-6, 0x1.6527028ebf25ap-6, 0x1.6e396971df98ap-6,
    0x1.774bd055000bap-6, 0x1.7daf89cb0b067p-6, 0x1.82497a4db25bep-6, 0x1.86e36ad059b15p-6,
    0x1.8aabdc7b753ffp-6, 0x1.8da2cf4f0507cp-6, 0x1.9099c22294cfap-6, 0x1.8ca8b18703c39p-6,
    0x1.7e5b9bc4c1799p-6, 0x1.700e86027f2f8p-6, 0x1.65cb2c2057ca3p-6, 0x1.64f3ddf3c47a6p-6,
    0x1.641c8fc7312a9p-6, 0x1.647e324f0b22ap-6, 0x1.69c397a89a3a4p-6, 0x1.6f08fd022951fp-6,
    0x1.738b2898577e7p-6, 0x1.71304c501d670p-6, 0x1.6ed57007e34f8p-6, 0x1.6c7a93bfa9381p-6,
    0x1.6cf436c16856cp-6, 0x1.6d6dd9c327757p-6, 0x1.6de77cc4e6942p-6, 0x1.6bfdcda0d2f67p-6,
    0x1.69d031cde0d1fp-6, 0x1.67a295faeead8p-6, 0x1.6277cfd1cd55cp-6, 0x1.5c8dbf1320312p-6,
    0x1.56a3ae54730c8p-6, 0x1.514711582ac34p-6, 0x1.4c2713af3245cp-6, 0x1.4707160639c84p-6,
    0x1.465c6fdecff3fp-6, 0x1.48aaaeb86fe5cp-6, 0x1.4af8ed920fd79p-6, 0x1.4b455a43f8ecap-6,
    0x1.498ff4ce2b24dp-6, 0x1.47da8f585d5d0p-6, 0x1.46a30c005501ep-6, 0x1.46285bd4f4c9cp-6,
    0x1.45adaba99491ap-6, 0x1.47ddacfe89ce5p-6, 0x1.5046a1d44670ep-6, 0x1.58af96aa03138p-6,
    0x1.5f60b192dbaf8p-6, 0x1.5f3264c824315p-6, 0x1.5f0417fd6cb33p-6, 0x1.5f4908a3a5fcbp-6,
    0x1.639b2242564bbp-6, 0x1.67ed3be1069abp-6, 0x1.6c3f557fb6e9bp-6, 0x1.661821fd4caf5p-6,
    0x1.5ff0ee7ae274ep-6, 0x1.59c9baf8783a6p-6, 0x1.552b3d1fa76b6p-6, 0x1.50b861af0419fp-6,
    0x1.4c45863e60c89p-6, 0x1.57a4ec8895069p-6, 0x1.66f8e3417f285p-6, 0x1.764cd9fa694a4p-6,
    0x1.7944c5dcff424p-6, 0x1.76f0ad1a95ba9p-6, 0x1.749c94582c32dp-6, 0x1.760f02f4fe9fep-6,
    0x1.7a05cbd14e5adp-6, 0x1.7dfc94ad9e15cp-6, 0x1.7c42ce490bde3p-6, 0x1.74d878a397b41p-6,
    0x1.6d6e22fe238a0p-6, 0x1.69191d32594c1p-6, 0x1.69640f2d0df08p-6, 0x1.69af0127c294fp-6,
    0x1.6bbd4967b3a88p-6, 0x1.71e8b04931bf8p-6, 0x1.7814172aafd68p-6, 0x1.7a330fe48f57ep-6,
    0x1.6c204ffff4824p-6, 0x1.5e0d901b59acdp-6, 0x1.514980ec63b63p-6, 0x1.5049a82039976p-6,
    0x1.4f49cf540f788p-6, 0x1.4e49f687e559ap-6,
};
static const double case_7_z[] = {
    0x1.0ce8163e6c576p-3, 0x1.8b00ba85a7504p-3, 0x1.960f1f82d81aep-1, -0x1.767d2ce6d1a5fp-2,
    0x1.0d257e9929c39p+0, 0x1.c5253bd4f2d76p+0, 0x1.1dd9210153aa3p+1, -0x1.70ffe7db938e3p-11,
    -0x1.0e7e7a9b0d8c6p-3, 0x1.61f0578272dc2p-1, 0x1.4b33575eb11a0p-2, 0x1.973380f40d288p-2,
    0x1.d662912813de8p-5, -0x1.bb9b7e0d99c4bp-1, -0x1.aabdf7070df51p+0, -0x1.4e8b14739fbecp+0,
    -0x1.92ddcb3165f19p+0, -0x1.a607e0ee485c6p+0, -0x1.56ebae1049dd6p-2, -0x1.73d97fb0a18fdp-2,
    0x1.3f42871f82d41p-2, -0x1.4c79d0f20ebc5p-1, -0x1.5821d072ebd2ep+0, 0x1.0ccea15d273fep+0,
    0x1.5f638807b7bdap-1, 0x1.4e353a04e3292p+0, 0x1.2d713212b67f7p-3, 0x1.8b18a0010b80bp-3,
    0x1.281898797a9e2p+0, -0x1.0aab0e5c49d2ap+0, -0x1.32a1ecafe399dp+0,
};
static const double case_8_a[] = {
    0x1.42ef7b6ef0052p-6, 0x1.3ec4a51edf483p-6, 0x1.4adea379c32cdp-6, 0x1.49e4fcd6c5718p-6,
    0x1.3b8f72ce0ca72p-6, 0x1.2ca386048df77p-6, 0x1.28589519e011fp-6, 0x1.19133d19e7a11p-6,
    0x1.18f2a5876f7aep-6, 0x1.1a407dd5ab48ep-6, 0x1.1436263e4e173p-6, 0x1.0da7228159a8cp-6,
    0x1.07d8f76b76ca1p-6, 0x1.0903b19b89b88p-6, 0x1.0fcfcf115b2d1p-6, 0x1.08b314269f943p-6,
    0x1.10a1604c141a7p-6, 0x1.062b8bd0dc462p-6, 0x1.ff95f6a57bf49p-7, 0x1.f478fa53fa93fp-7,
    0x1.e93c630da2d96p-7, 0x1.da17354d38464p-7,
};
static const double case_8_b[] = {
    0x1.439b047c99470p-6, 0x1.381b11146fbe3p-6, 0x1.4b9dfae2c22c7p-6, 0x1.4c96405fb482fp-6,
    0x1.3cdd2d43deec6p-6, 0x1.2b651e04f53f2p-6, 0x1.22f55cdd8de57p-6, 0x1.1a172063dcfbep-6,
    0x1.15fd3b9e1c0a4p-6, 0x1.1cbd68d2933bap-6, 0x1.15ec48c777a32p-6, 0x1.0ea10cb4e4df4p-6,
    0x1.0a32efbabbf44p-6, 0x1.04571d38f7687p-6, 0x1.11a68738d661ep-6, 0x1.098be5ef5de57p-6,
    0x1.11a938fd9cd9fp-6, 0x1.0ad9425403d93p-6, 0x1.fcd89fd1a2c60p-7, 0x1.fd72d90e7f6b7p-7,
    0x1.e6586b574d013p-7, 0x1.d6eb071a023cbp-7,
};
static const double case_8_r[] = {
    0x1.42ef7b6ef0052p-6, 0x1.3ec4a51edf483p-6, 0x1.4adea379c32cdp-6, 0x1.49e4fcd6c5718p-6,
    0x1.3b8f72ce0ca72p-6, 0x1.2ca386048df77p-6, 0x1.28589519e011fp-6, 0x1.19133d19e7a11p-6,
    0x1.18f2a5876f7aep-6, 0x1.1a407dd5ab48ep-6, 0x1.1436263e4e173p-6, 0x1.0da7228159a8cp-6,
    0x1.07d8f76b76ca1p-6, 0x1.0903b19b89b88p-6, 0x1.0fcfcf115b2d1p-6, 0x1.08b314269f943p-6,
    0x1.10a1604c141a7p-6, 0x1.062b8bd0dc462p-6, 0x1.ff95f6a57bf49p-7, 0x1.f478fa53fa93fp-7,
    0x1.e93c630da2d96p-7, 0x1.da17354d38464p-7,
};
static const double case_8_z[] = {
    0x1.8709a42d836fcp+0, 0x1.5fb5693f4d8ccp+0, 0x1.d1ea97e75bbe6p+0, 0x1.c8b685fecf384p+0,
    0x1.416f675b78d10p+0, 0x1.693a0cc238772p-1, 0x1.1833a172e61bdp-1, -0x1.011cc64893614p-6,
    -0x1.4e024d16c5290p-6, 0x1.c5a7224039a2dp-6, -0x1.8f5769d06c414p-3, -0x1.bf4238b469433p-2,
    -0x1.4d346924c02abp-1, -0x1.372df55f03ba0p-1, -0x1.6dc2de9a3f772p-2, -0x1.3d1f8f9b335fdp-1,
    -0x1.4edbbd581fb89p-2, -0x1.6cddaecac2185p-1, -0x1.e53c327270eefp-1, -0x1.270ed0527e939p+0,
    -0x1.5c14aa72ee931p+0, -0x1.a38c052d45a09p+0,
};
static const double case_9_a[] = {
    0x1.42ef7b6ef0052p-6, 0x1.3ec4a51edf483p-6, 0x1.4adea379c32cdp-6, 0x1.49e4fcd6c5718p-6,
    0x1.3b8f72ce0ca72p-6, 0x1.2ca386048df77p-6, 0x1.28589519e011fp-6, 0x1.19133d19e7a11p-6,
    0x1.18f2a5876f7aep-6, 0x1.1a407dd5ab48ep-6, 0x1.1436263e4e173p-6, 0x1.0da7228159a8cp-6,
    0x1.07d8f76b76ca1p-6, 0x1.0903b19b89b88p-6, 0x1.0fcfcf115b2d1p-6, 0x1.08b314269f943p-6,
    0x1.10a1604c141a7p-6, 0x1.062b8bd0dc462p-6, 0x1.ff95f6a57bf49p-7, 0x1.f478fa53fa93fp-7,
    0x1.e93c630da2d96p-7, 0x1.da17354d38464p-7,
};
static const double case_9_b[] = {
    0x1.f5e88424887fdp-1, 0x1.f609dad70905cp-1, 0x1.f5a90ae431e6ap-1, 0x1.f5b0d81949d47p-1,
    0x1.f62384698f9acp-1, 0x1.f69ae3cfdb904p-1, 0x1.f6bd3b5730ff7p-1, 0x1.f737661730c2fp-1,
    0x1.f7386ad3c4843p-1, 0x1.f72dfc1152a5cp-1, 0x1.f75e4ece0d8f4p-1, 0x1.f792c6ebf532cp-1,
    0x1.f7c13844a449bp-1, 0x1.f7b7e27323b24p-1, 0x1.f781818775269p-1, 0x1.f7ba675ecb036p-1,
    0x1.f77af4fd9f5f3p-1, 0x1.f7cea3a1791ddp-1, 0x1.f801a8256a103p-1, 0x1.f82e1c16b015bp-1,
    0x1.f85b0e73c974ap-1, 0x1.f897a32acb1eep-1,
};
static const double case_9_r[] = {
    0x1.42ef7b6ef0052p-6, 0x1.3ec4a51edf483p-6, 0x1.4adea379c32cdp-6, 0x1.49e4fcd6c5718p-6,
    0x1.3b8f72ce0ca72p-6, 0x1.2ca386048df77p-6, 0x1.28589519e011fp-6, 0x1.19133d19e7a11p-6,
    0x1.18f2a5876f7aep-6, 0x1.1a407dd5ab48ep-6, 0x1.1436263e4e173p-6, 0x1.0da7228159a8cp-6,
    0x1.07d8f76b76ca1p-6, 0x1.0903b19b89b88p-6, 0x1.0fcfcf115b2d1p-6, 0x1.08b314269f943p-6,
    0x1.10a1604c141a7p-6, 0x1.062b8bd0dc462p-6, 0x1.ff95f6a57bf49p-7, 0x1.f478fa53fa93fp-7,
    0x1.e93c630da2d96p-7, 0x1.da17354d38464p-7,
};
static const double case_9_z[] = {
    0x1.8709a42d836fcp+0, 0x1.5fb5693f4d8ccp+0, 0x1.d1ea97e75bbe6p+0, 0x1.c8b685fecf384p+0,
    0x1.416f675b78d10p+0, 0x1.693a0cc238772p-1, 0x1.1833a172e61bdp-1, -0x1.011cc64893614p-6,
    -0x1.4e024d16c5290p-6, 0x1.c5a7224039a2dp-6, -0x1.8f5769d06c414p-3, -0x1.bf4238b469433p-2,
    -0x1.4d346924c02abp-1, -0x1.372df55f03ba0p-1, -0x1.6dc2de9a3f772p-2, -0x1.3d1f8f9b335fdp-1,
    -0x1.4edbbd581fb89p-2, -0x1.6cddaecac2185p-1, -0x1.e53c327270eefp-1, -0x1.270ed0527e939p+0,
    -0x1.5c14aa72ee931p+0, -0x1.a38c052d45a09p+0,
};
static const double case_10_a[] = {
    0x1.fffff8fc34c5cp-1, 0x1.fffffa93e948cp-1, 0x1.ffffe76efd10cp-1, 0x1.fffffd33b729ep-1,
    0x1.00000168f9ad5p+0, 0x1.000005abbc62cp+0, 0x1.fffffbb27c0dap-1, 0x1.fffff3a839b98p-1,
    0x1.fffff49689f11p-1, 0x1.ffffeaadd14f4p-1, 0x1.ffffe8ec02408p-1, 0x1.ffffeee6c3f47p-1,
    0x1.fffffb9afba5cp-1, 0x1.fffff587fb60ap-1, 0x1.fffffb62ef4ccp-1, 0x1.ffffece1c35a8p-1,
};
static const double case_10_b[] = {
    0x1.000001aac4fcbp+0, 0x1.0000064aeb0b0p+0, 0x1.00000a0a8b3afp+0, 0x1.00000ad36fac6p+0,
    0x1.00000c51b8e69p+0, 0x1.0000059b2aa97p+0, 0x1.fffff5c4606c4p-1, 0x1.fffff500438fbp-1,
    0x1.fffff1c21c826p-1, 0x1.fffff4837b190p-1, 0x1.fffff0e21d95ap-1, 0x1.fffff3b481a7bp-1,
    0x1.fffff30f62e5ap-1, 0x1.ffffe9cd7951cp-1, 0x1.ffffedc83bc70p-1, 0x1.fffff9f1443cdp-1,
};
static const double case_10_r[] = {
    0x1.fffff8fc34c5cp-1, 0x1.fffffa93e948cp-1, 0x1.ffffe76efd10cp-1, 0x1.fffffd33b729ep-1,
    0x1.00000168f9ad5p+0, 0x1.000005abbc62cp+0, 0x1.fffffbb27c0dap-1, 0x1.fffff3a839b98p-1,
    0x1.fffff49689f11p-1, 0x1.ffffeaadd14f4p-1, 0x1.ffffe8ec02408p-1, 0x1.ffffeee6c3f47p-1,
    0x1.fffffb9afba5cp-1, 0x1.fffff587fb60ap-1, 0x1.fffffb62ef4ccp-1, 0x1.ffffece1c35a8p-1,
};
static const double case_10_z[] = {
    0x1.17df305a08982p-2, 0x1.c37f81ad294bfp-2, -0x1.92e5085fc6c68p+0, 0x1.6f26392e68585p-1,
    0x1.4eeef10800afap+0, 0x1.1a41e854da3a3p+1, 0x1.1e1107fdde5f1p-1, -0x1.264e1a539bb38p-2,
    -0x1.83f88f1df4332p-3, -0x1.3b7578b6676f6p+0, -0x1.6acbe060cd4dfp+0, -0x1.9366cdfa048cap-1,
    0x1.191eb5315494dp-1, -0x1.7164b600fa11dp-4, 0x1.0d52b0ca41c09p-1, -0x1.001c157abd44ep+0,
};
static const double case_11_a[] = {
    0x1.fffffffffffaap-1, 0x1.000000000001ap+0, 0x1.0000000000003p+0, 0x1.fffffffffff24p-1,
    0x1.fffffffffff40p-1, 0x1.ffffffffffedap-1, 0x1.ffffffffffd3ap-1, 0x1.ffffffffffd59p-1,
    0x1.ffffffffffd91p-1, 0x1.ffffffffffed7p-1, 0x1.fffffffffff38p-1, 0x1.ffffffffffef9p-1,
    0x1.0000000000016p+0, 0x1.fffffffffffc0p-1, 0x1.fffffffffffdbp-1, 0x1.000000000002cp+0,
};
static const double case_11_b[] = {
    0x1.0000000000062p+0, 0x1.0000000000030p+0, 0x1.fffffffffffb2p-1, 0x1.fffffffffff0ap-1,
    0x1.ffffffffffefep-1, 0x1.ffffffffffdffp-1, 0x1.ffffffffffe97p-1, 0x1.ffffffffffe1ap-1,
    0x1.ffffffffffd58p-1, 0x1.ffffffffffdd0p-1, 0x1.ffffffffffe09p-1, 0x1.ffffffffffe03p-1,
    0x1.fffffffffff6bp-1, 0x1.ffffffffffedcp-1, 0x1.fffffffffff9bp-1, 0x1.fffffffffffd5p-1,
    0x1.fffffffffffb6p-1, 0x1.ffffffffffe99p-1, 0x1.ffffffffffda6p-1, 0x1.ffffffffffd13p-1,
};
static const double case_11_r[] = {
    0x1.fffffffffffaap-1, 0x1.000000000000bp+0, 0x1.000000000000dp+0, 0x1.fffffffffffb3p-1,
    0x1.fffffffffff28p-1, 0x1.fffffffffff3fp-1, 0x1.ffffffffffef5p-1, 0x1.ffffffffffdffp-1,
    0x1.ffffffffffd44p-1, 0x1.ffffffffffd5fp-1, 0x1.ffffffffffd8bp-1, 0x1.ffffffffffe70p-1,
    0x1.fffffffffff05p-1, 0x1.fffffffffff27p-1, 0x1.fffffffffff09p-1, 0x1.ffffffffffffcp-1,
    0x1.fffffffffffe8p-1, 0x1.fffffffffffcbp-1, 0x1.ffffffffffff5p-1, 0x1.000000000002cp+0,
};
static const double case_11_z[] = {
    0x1.0da16ca0d0a1fp-1, 0x1.14a1a6e17beb5p+0, 0x1.cab802b7956fbp-1, -0x1.71f489d3810d0p-7,
    0x1.9e24f2776f0b0p-4, -0x1.3bbf1b51d8a15p-2, -0x1.fa70c11e331afp+0, -0x1.da954c0151f2bp+0,
    -0x1.a108db8b160d2p+0, -0x1.48140ed8e5771p-2, 0x1.1a9accd6e622dp-4, -0x1.78a28dbca800dp-3,
    0x1.0c690487735ccp+0, 0x1.3ad8e98fffb1cp-1, 0x1.7257316fb973bp-1, 0x1.39a08176a26c9p+0,
};
static const double case_12_a[] = {
    0x1.0000000000000p+0, 0x1.0000000000000p+0, 0x1.0000000000001p+0, 0x1.0000000000001p+0,
    0x1.0000000000002p+0, 0x1.0000000000003p+0, 0x1.0000000000004p+0, 0x1.0000000000002p+0,
    0x1.0000000000003p+0, 0x1.0000000000004p+0, 0x1.0000000000001p+0, 0x1.0000000000000p+0,
    0x1.0000000000004p+0, 0x1.0000000000001p+0, 0x1.0000000000002p+0, 0x1.0000000000000p+0,
    0x1.0000000000000p+0, 0x1.0000000000004p+0,
};
static const double case_12_b[] = {
    0x1.4a234fc9596c5p-6, 0x1.48d2cdf9d0a29p-6, 0x1.4b4196a5c742fp-6, 0x1.6153256f6d98ep-6,
    0x1.75aee1394256fp-6, 0x1.735713edcb1dcp-6, 0x1.834fd3d8d45e4p-6, 0x1.7ffaccc2892a8p-6,
    0x1.728c1666c736ap-6, 0x1.7b8e08e3bf99fp-6, 0x1.87d307d58df2ap-6, 0x1.89142c52c7352p-6,
    0x1.91bbe1c508215p-6, 0x1.99896e07cc7e0p-6, 0x1.9a6320837a804p-6, 0x1.9e783f0fcc964p-6,
    0x1.92a6d3e51cf40p-6, 0x1.8b8bd3c3c735bp-6,
};
static const double case_12_r[] = {
    0x1.0000000000000p+0, 0x1.0000000000000p+0, 0x1.0000000000001p+0, 0x1.0000000000001p+0,
    0x1.0000000000002p+0, 0x1.0000000000003p+0, 0x1.0000000000004p+0, 0x1.0000000000002p+0,
    0x1.0000000000003p+0, 0x1.0000000000004p+0, 0x1.0000000000001p+0, 0x1.0000000000000p+0,
    0x1.0000000000004p+0, 0x1.0000000000001p+0, 0x1.0000000000002p+0, 0x1.0000000000000p+0,
    0x1.0000000000000p+0, 0x1.0000000000004p+0,
};
static const double case_12_z[] = {
    -0x1.2d24d73be4ed4p+0, -0x1.2d24d73be4ed4p+0, -0x1.07803c54684fap-1, -0x1.07803c54684fap-1,
    0x1.2d24d73be4ed4p-3, 0x1.9e12a7f25ac64p-1, 0x1.786e0d0ade289p+0, 0x1.2d24d73be4ed4p-3,
    0x1.9e12a7f25ac64p-1, 0x1.786e0d0ade289p+0, -0x1.07803c54684fap-1, -0x1.2d24d73be4ed4p+0,
    0x1.786e0d0ade289p+0, -0x1.07803c54684fap-1, 0x1.2d24d73be4ed4p-3, -0x1.2d24d73be4ed4p+0,
    -0x1.2d24d73be4ed4p+0, 0x1.786e0d0ade289p+0,
};
static const double case_13_a[] = {
    0x1.732a6e7f4e0b2p-997, 0x1.8c501e722e1d0p-997, 0x1.93f01d78863cap-997, 0x1.8c229d573a7f2p-997,
    0x1.9f50f58e1524dp-997, 0x1.8abe18390b66ep-997, 0x1.797c0515e3dc1p-997, 0x1.a5a02f2431290p-997,
    0x1.a9f5df4812262p-997, 0x1.9cf3ea2396109p-997,
};
static const double case_13_b[] = {
    0x1.5d25f332bf3a1p-997, 0x1.7dfb2c5154496p-997, 0x1.85d81fcf77dc5p-997, 0x1.902a5b0cd77c9p-997,
    0x1.a008a89f48151p-997, 0x1.a118e97253fcdp-997, 0x1.70d0d2921317ep-997, 0x1.67db42bfc249dp-997,
    0x1.58056a8819024p-997, 0x1.43793cbb9be13p-997, 0x1.4b70276b06987p-997, 0x1.79aaf18b22a94p-997,
    0x1.703587ab40adbp-997, 0x1.519ffec8a727bp-997,
};
static const double case_13_r[] = {
    0x1.732a6e7f4e0b2p-997, 0x1.84934ac4fcdc7p-997, 0x1.8f3ee2fe77644p-997, 0x1.9356761380692p-997,
    0x1.8def93864bf9ap-997, 0x1.94fced708bb7ep-997, 0x1.9c26ac1e89cc8p-997, 0x1.8de861a896bf3p-997,
    0x1.8173219c44e11p-997, 0x1.83abc0057f8b6p-997, 0x1.a23af0d452994p-997, 0x1.a84b11b06cd87p-997,
    0x1.a5f5451575d0cp-997, 0x1.9cf3ea2396109p-997,
};
static const double case_13_z[] = {
    -0x1.c6a67cf544f93p+0, -0x1.3a1e4ef3b0848p-2, 0x1.1c1f9c9d1f938p-3, -0x1.44c0b233928e8p-2,
    0x1.9b654af4f90e9p-1, -0x1.98123981288f0p-2, -0x1.68249e0bb3f6ep+0, 0x1.2c112b86bd300p+0,
    0x1.6ce6808d68690p+0, 0x1.54b249119b8bap-1,
};
static const double case_14_a[] = {
    0x1.85ddd1de8ddcfp+996, 0x1.8c30b4e7d0949p+996, 0x1.9b5b78285e8a5p+996, 0x1.da70849a3e063p+996,
    0x1.b9cba89e2d506p+996, 0x1.ae221334f3dbfp+996, 0x1.d3b5c1ff68aa9p+996, 0x1.c20a35151db35p+996,
    0x1.9beb53287faadp+996, 0x1.b95a31e667630p+996,
};
static const double case_14_b[] = {
    0x1.8346df13415dbp+996, 0x1.800523857a110p+996, 0x1.960809c65773ep+996, 0x1.ccc200a2edc77p+996,
    0x1.aba7cd81996b4p+996, 0x1.a3a17e3cefaa3p+996, 0x1.8774be6e15c50p+996, 0x1.ad1c8a73c389bp+996,
    0x1.954c4cf711731p+996, 0x1.b0dabb00966f0p+996, 0x1.98c8f41f3cdf5p+996, 0x1.bf15ce5578c3ep+996,
    0x1.7ab43e8969448p+996, 0x1.877480d645dddp+996,
};
static const double case_14_r[] = {
    0x1.85ddd1de8ddcfp+996, 0x1.8a3e966ecfbe8p+996, 0x1.920613b1dfcbbp+996, 0x1.a035b43120f65p+996,
    0x1.cbe1d07ff6c23p+996, 0x1.cb5f81885db24p+996, 0x1.b800568dfd171p+996, 0x1.afed654524154p+996,
    0x1.c25de77a95378p+996, 0x1.cfa1dc8e43ac9p+996, 0x1.c3662c3ad4b2ap+996, 0x1.aa94bdbe95109p+996,
    0x1.a4f9bf14296d5p+996, 0x1.b95a31e667630p+996,
};
static const double case_14_z[] = {
    -0x1.85b406ddce48fp+0, -0x1.4a7b91ef40521p+0, -0x1.78e500c500cc4p-1, 0x1.924d2989c21e6p+0,
    0x1.8265581ab19a7p-2, -0x1.93bc3e1e655f7p-5, 0x1.5347f5716d451p+0, 0x1.5b9c28498b682p-1,
    -0x1.6e5eaa193e0f1p-1, 0x1.71cb1c19fed5cp-2,
};
static const double case_15_a[] = {
    0x1.39c02342a21e3p-997, 0x1.48c040ff900d3p-997, 0x1.1b29baf531978p-997, 0x1.633936aeb6932p-997,
    0x1.913c273059c24p-997, 0x1.7f30d6464ac38p-997, 0x1.70c70d617ac1ap-997, 0x1.977a087ed239ep-997,
    0x1.78619ad671834p-997, 0x1.7fe5f538cc787p-997,
};
static const double case_15_b[] = {
    0x1.7bdf7ae3ec5d4p+996, 0x1.576549091d178p+996, 0x1.43eb9c2e53ec3p+996, 0x1.3791598b1e626p+996,
    0x1.2c00a7977dcfap+996, 0x1.214cda02ef93ap+996, 0x1.297a004e4340ap+996, 0x1.271ec9f016effp+996,
    0x1.24e34ee9cfc15p+996, 0x1.1d5a7c5ead1b6p+996,
};
static const double case_15_r[] = {
    0x1.39c02342a21e3p-997, 0x1.48c040ff900d3p-997, 0x1.1b29baf531978p-997, 0x1.633936aeb6932p-997,
    0x1.913c273059c24p-997, 0x1.7f30d6464ac38p-997, 0x1.70c70d617ac1ap-997, 0x1.977a087ed239ep-997,
    0x1.78619ad671834p-997, 0x1.7fe5f538cc787p-997,
};
static const double case_15_z[] = {
    -0x1.38b48a7756b65p+0, -0x1.a75f8ca547c74p-1, -0x1.0358b43c289fdp+1, -0x1.0b49b8906dabcp-3,
    0x1.147287f104f17p+0, 0x1.35dcaffd33d07p-1, 0x1.ceefb87feb130p-3, 0x1.3e7b3f8639020p+0,
    0x1.b44b16624b8e4p-2, 0x1.3f64286be2daep-1,
};
static const double case_16_a[] = {
    0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100,
    0x1.93e5939a08ceap+99, 0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100,
    0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100,
    0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100,
};
static const double case_16_b[] = {
    0x1.5eafd82c27473p-6, 0x1.756e390bd0db1p-6, 0x1.7030f31eb055bp-6, 0x1.75094943e13d3p-6,
    0x1.7e283335e4776p-6, 0x1.831a5121ccb48p-6, 0x1.9525c961645fbp-6, 0x1.9e15d805d6741p-6,
    0x1.872e292f91a3bp-6, 0x1.7e4b6aadf32c4p-6, 0x1.8356d80b9ce7bp-6, 0x1.925d019a0fb5cp-6,
    0x1.921eac56fff1fp-6, 0x1.885648cdb9a5cp-6, 0x1.7c76cc59c6a4dp-6,
};
static const double case_16_r[] = {
    0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100,
    0x1.93e5939a08ceap+99, 0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100,
    0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100,
    0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100, 0x1.4484bfeebc2a0p-100,
};
static const double case_16_z[] = {
    -0x1.11acee560242ap-2, -0x1.11acee560242ap-2, -0x1.11acee560242ap-2, -0x1.11acee560242ap-2,
    0x1.deeea11683f49p+1, -0x1.11acee560242ap-2, -0x1.11acee560242ap-2, -0x1.11acee560242ap-2,
    -0x1.11acee560242ap-2, -0x1.11acee560242ap-2, -0x1.11acee560242ap-2, -0x1.11acee560242ap-2,
    -0x1.11acee560242ap-2, -0x1.11acee560242ap-2, -0x1.11acee560242ap-2,
};

static const struct curve_case curve_cases[] = {
    {"3 and 3 layers", case_0_a, case_0_b, 3, 3, case_0_r, case_0_z, -0x1.fe9d5008693f2p-1, -0x1.fe9d5008693f1p-1},
    {"3 and 4 layers", case_1_a, case_1_b, 3, 4, case_1_r, case_1_z, -0x1.fb953062417fep-1, -0x1.fb953062417fdp-1},
    {"3 and 8 layers", case_2_a, case_2_b, 3, 8, case_2_r, case_2_z, -0x1.6fd463ea7a777p-2, -0x1.6fd463ea7a777p-2},
    {"12 and 12 layers", case_3_a, case_3_b, 12, 12, case_3_r, case_3_z, -0x1.e6c658676694dp-3, -0x1.e6c658676694ep-3},
    {"12 and 24 layers", case_4_a, case_4_b, 12, 24, case_4_r, case_4_z, 0x1.a1e9afbf82708p-1, 0x1.a1e9afbf82705p-1},
    {"24 and 12 layers", case_5_a, case_5_b, 24, 12, case_5_r, case_5_z, -0x1.fe5d99da61961p-6, -0x1.fe5d99da6195ap-6},
    {"28 and 32 layers", case_6_a, case_6_b, 28, 32, case_6_r, case_6_z, 0x1.e462eb68d1c6bp-1, 0x1.e462eb68d1c6dp-1},
    {"31 and 94 layers", case_7_a, case_7_b, 31, 94, case_7_r, case_7_z, -0x1.c937d20049b05p-2, -0x1.c937d20049b06p-2},
    {"related", case_8_a, case_8_b, 22, 22, case_8_r, case_8_z, 0x1.fd0e14254b1d0p-1, 0x1.fd0e14254b1d0p-1},
    {"opposite", case_9_a, case_9_b, 22, 22, case_9_r, case_9_z, -0x1.0000000000000p+0, -0x1.0000000000000p+0},
    {"norm weights, 1 +- 1e-6", case_10_a, case_10_b, 16, 16, case_10_r, case_10_z, 0x1.64d90458ac828p-2, 0x1.64d90458ac829p-2},
    {"mean 1e13 times the spread", case_11_a, case_11_b, 16, 20, case_11_r, case_11_z, 0x1.e35aa48625a4cp-2, NAN},
    {"a few ulps of spread", case_12_a, case_12_b, 18, 18, case_12_r, case_12_z, 0x1.ca62bc313a300p-3, NAN},
    {"1e-300", case_13_a, case_13_b, 10, 14, case_13_r, case_13_z, 0x1.dfa07cebb4b04p-4, NAN},
    {"1e300", case_14_a, case_14_b, 10, 14, case_14_r, case_14_z, 0x1.39b5331150f19p-2, NAN},
    {"1e-300 and 1e300", case_15_a, case_15_b, 10, 10, case_15_r, case_15_z, -0x1.7aa0a56eca69fp-1, NAN},
    {"a spike of 1e60", case_16_a, case_16_b, 15, 15, case_16_r, case_16_z, -0x1.14c6b7c87c944p-4, -0x1.14c6b7c87c943p-4},
};

#endif
