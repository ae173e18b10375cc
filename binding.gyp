{
  'targets': [{
    'target_name': 'uam_native',
    'sources': ['<!@(node native/sources.cjs host)'],
    'include_dirs': ["<!(node -p \"require('node-addon-api').include_dir\")", 'native'],
    'cflags!': ['-O2', '-g', '-fno-omit-frame-pointer'],
    'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17', '-std=gnu++20', '-O2'],
    'cflags_cc': [
      '-std=c++20', '-O3', '-fvisibility=hidden', '-Wall', '-Wextra', '-Wno-psabi', '-Wno-maybe-uninitialized', '-Wno-uninitialized', '-Wno-missing-field-initializers',
      # no contraction: fma() is written where it is meant, so every build rounds alike
      '-ffp-contract=off', '-fno-math-errno', '-fno-trapping-math',
    ],
    # -s: nobody needs the names of inner functions but a profiler (build with cmake-js for that)
    'ldflags': ['-Wl,--gc-sections', '-s'],
    'xcode_settings': {
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++20', 'GCC_ENABLE_CPP_EXCEPTIONS': 'YES', 'GCC_ENABLE_CPP_RTTI': 'YES',
      'MACOSX_DEPLOYMENT_TARGET': '11.0', 'OTHER_CPLUSPLUSFLAGS': ['-ffp-contract=off', '-fno-math-errno'],
    },
    'msvs_settings': { 'VCCLCompilerTool': { 'ExceptionHandling': 1, 'AdditionalOptions': ['/std:c++20'] } },
  }],
}
