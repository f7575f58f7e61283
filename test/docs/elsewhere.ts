/** The documented commands that `run-commands.long.test.ts` does not type, and who runs them instead. */
export const elsewhere: Record<string, string> = {
  'dataengine run --config configs/minigpt4-7b.yaml': 'test/recipes/recipes.test.ts',
  'export OPENAI_API_KEY=sk-…': 'test/recipes/recipes.test.ts',
  'dataengine data check configs/recipes/qwen2.5-vl-own-images.yaml': 'test/recipes/recipes.test.ts',
  'dataengine run --config configs/recipes/qwen2.5-vl-own-images.yaml': 'test/recipes/recipes.test.ts',
  'dataengine estimate --config configs/recipes/qwen2.5-vl-own-images.yaml --round 1': 'test/recipes/recipes.test.ts',
  'dataengine data check configs/recipes/llava-1.5-documents.yaml': 'test/recipes/recipes.test.ts',
  'dataengine run --config configs/recipes/llava-1.5-documents.yaml': 'test/recipes/recipes.test.ts',
  'dataengine estimate --config configs/recipes/llava-1.5-documents.yaml --round 1': 'test/recipes/recipes.test.ts',
  'dataengine run --config configs/reference/7b-qma-base.yaml': 'test/recipes/recipes.test.ts',
  'dataengine run --config configs/reference/7b-qma-round1.yaml': 'test/recipes/recipes.test.ts',
  'npm pack': 'test/scripts/package.long.test.ts',
  'npm install mllm-dataengine-0.1.0.tgz': 'test/scripts/package.long.test.ts',
  'npx dataengine doctor': 'test/scripts/package.long.test.ts',
  'npx dataengine demo --quick': 'test/scripts/package.long.test.ts',
  'npm run demo': 'test/demo/command/demo.test.ts',
  'npm run demo -- --quick': 'test/demo/command/demo.test.ts',
  'dataengine ask runs/demo photo.jpg "How many dogs are there?"': 'test/cli/ask/ask-command.test.ts',
  'dataengine ask runs/demo-seed1 .cache/scenes/COCO2017/val2017/000000400002.jpg "What vehicle can be seen? (A) bus (B) car (C) boat (D) bicycle"':
    'test/cli/ask/ask-command.test.ts',
  'dataengine ask data/stage1 photo.jpg "How many dogs are there?" --compare runs/demo':
    'test/cli/ask/ask-command.test.ts',
  'dataengine ask data/stage1 photo.jpg "How many dogs are there?" --adapter runs/demo/round-0/finetune':
    'test/cli/ask/ask-command.test.ts',
  "printf 'What is on the table?\\nWhat color is it?\\n' | dataengine ask runs/demo photo.jpg":
    'test/cli/ask/ask-command.test.ts',
  'npm test': '.ci/run',
  'npm run test:all': '.ci/run',
  'npx vitest run test/evaluation': '.ci/run',
  'npm run check': '.ci/run',
  'npm run format': '.ci/run',
  'npm run audit': '.ci/run',
  'npm run fuzz -- --minutes 15': 'test/security/fuzz.long.test.ts',
  'npm run sbom': 'test/scripts/sbom.test.ts',
  'bash .ci/run': '.ci/run',
  "docker buildx imagetools inspect node:20.20-bookworm-slim --format '{{.Manifest.Digest}}'":
    'test/deploy/least-privilege.test.ts',
  'export NODE_DIGEST=sha256:…': 'test/deploy/least-privilege.test.ts',
  'docker build --build-arg NODE_DIGEST --file deploy/cpu-worker.Dockerfile --tag dataengine-cpu-worker .':
    'test/deploy/least-privilege.test.ts',
  'docker build --build-arg NODE_DIGEST --file deploy/gpu-worker.Dockerfile --tag dataengine-gpu-worker .':
    'test/deploy/least-privilege.test.ts',
  'DATABASE_PASSWORD=choose-one docker compose --file deploy/compose.yaml --profile gpu up --build':
    'test/deploy/deploy.test.ts',
  'kubectl apply --kustomize deploy/kubernetes': 'test/deploy/deploy.test.ts',
  'dataengine approve-types my-run': 'test/workflows/discover-types.test.ts',
  'dataengine approve-types my-run --types my-types.yaml': 'test/workflows/discover-types.test.ts',
  "npx dataengine temporal workflow update execute --workflow-id my-run/round-0 --name approveTypes --input '{}'":
    'test/workflows/discover-types.test.ts',
  'dataengine demo --folder photos --images 300': 'test/cli/own-folder.long.test.ts',
  'dataengine init photos --model data/stage1 --teacher local': 'test/cli/own-folder.long.test.ts',
  'dataengine run --local': 'test/cli/own-folder.long.test.ts',
  'dataengine report': 'test/cli/own-folder.long.test.ts',
  'npm run dataengine -- run --local --config configs/demo.yaml': 'test/cli/run-locally.test.ts',
  'dataengine evaluate --benchmark mmbench --file mmbench_dev_20230712.tsv --endpoint http://127.0.0.1:8000/v1 --model-name my-model':
    'test/round/evaluate/endpoint-keys-and-crashes.test.ts',
  'dataengine evaluate --benchmark mmbench --file mmbench_dev_20230712.tsv --endpoint http://127.0.0.1:8000/v1 --model-name my-model --temporal':
    'test/workflows/endpoint-evaluation.test.ts',
  'dataengine power --difference 2.5 --seed-deviation 2.9': 'test/cli/power-command.test.ts',
  'dataengine merge --config configs/demo.yaml --round 1': 'test/round/retention/prune.test.ts',
  'dataengine prune runs/nightly --dry-run': 'test/cli/prune-command.test.ts',
  'dataengine prune runs/nightly': 'test/cli/prune-command.test.ts',
  'dataengine track runs/nightly': 'test/cli/prune-command.test.ts',
  'dataengine schedule prune pruning --config configs/demo.yaml --run nightly --cron "0 12 * * *"':
    'test/workflows/prune.test.ts',
  'npx dataengine temporal workflow start --type dataEnginePrune --task-queue data-engine --workflow-id prune-nightly --input \'{"config":"configs/demo.yaml","run":"nightly","dryRun":true}\'':
    'test/security/codec-commands.test.ts',
  'dataengine power --difference 2 --disagreement 15': 'test/cli/power-command.test.ts',
  'dataengine describe-images --config my-facts.yaml': 'test/round/describe-images.test.ts',
  'dataengine data split questions.csv --images photos --output split --validation 0.1 --test 0.1':
    'test/datasets/split/split-questions.test.ts',
  'dataengine data review configs/demo.yaml --round 1': 'test/cli/data-review.test.ts',
  'dataengine data review configs/demo.yaml --round 1 --terminal': 'test/cli/data-review.test.ts',
  'dataengine hub push dataset configs/demo.yaml latest --repo me/my-dataset --license cc-by-4.0':
    'test/cli/hub-commands.test.ts',
  'dataengine hub push adapter configs/demo.yaml --round 1 --repo me/my-adapter --license apache-2.0':
    'test/cli/hub-commands.test.ts',
  'dataengine hub push model configs/demo.yaml --round 1 --repo me/my-model --license apache-2.0':
    'test/cli/hub-commands.test.ts',
  'dataengine hub pull me/my-dataset --output data/my-dataset': 'test/cli/hub-commands.test.ts',
  'dataengine serve runs/demo --name demo': 'test/cli/serve-command.test.ts',
  'dataengine serve runs/demo-seed1': 'test/cli/serve-command.test.ts',
  'npm run schema': 'test/config/load-config.test.ts',
  'npm run dataengine -- doctor': 'test/scripts/doctor.test.ts',
  'npm run setup -- --python': 'test/scripts/setup/python.test.ts',
  'dataengine setup --python': 'test/scripts/setup/python.test.ts',
  'npm run setup -- --torch': 'test/scripts/setup/python.test.ts',
  'npm run setup -- --deepspeed': 'test/scripts/setup/deepspeed.test.ts',
  'dataengine pull s3://my-bucket/dataengine/runs/nightly --weights': 'test/round/rounds-on-two-machines.test.ts',
  'dataengine evaluate --trainer torchrun --model models/qwen2.5-vl-3b --benchmark mmbench --file mmbench_dev.tsv':
    'test/cli/evaluate-command.test.ts',
  'dataengine evaluate import 20261129_101500_samples_pope.jsonl --output runs/evaluations/base-pope':
    'test/round/evaluate/import-evaluation.test.ts',
  'dataengine evaluate import model_receipts_result.xlsx --config configs/demo.yaml --round 1':
    'test/round/evaluate/import-answers.test.ts',
  'dataengine evaluate --tsv TextVQA_VAL.tsv --metric textvqa-accuracy --model data/stage1':
    'test/cli/evaluate-command.test.ts',
  'dataengine evaluate --benchmark aokvqa --file aokvqa_v1p0_test.json --images COCO2017/test2017 --model data/stage1':
    'test/cli/evaluate-command.test.ts',
  'node --import tsx examples/direct-answers.ts data/stage1 aokvqa_v1p0_val.json COCO2017/val2017 100':
    'test/examples/examples.test.ts',
  'npm run bench:train': 'bench',
  'npm run bench:ablation': 'bench',
  'git tag experiment-1': 'test/bench/ablation/lines.test.ts',
  'git worktree add ../experiment-1 experiment-1': 'bench',
  'npm run bench:ablation -- --run --seeds 1,2,3,4 --results ../MLLM-DataEngine/bench/ablation/results.jsonl': 'bench',
  'npm run bench:ablation -- --run --seeds 11,12,13,14,15,16,17,18 --results ../MLLM-DataEngine/bench/ablation/results.jsonl':
    'bench',
  'npm run bench:ablation -- --run --world mild --seeds 21,22,23,24 --results ../MLLM-DataEngine/bench/ablation/results.jsonl':
    'bench',
  'npm run peers:llama-cpp -- --server build/bin/llama-server --model SmolLM2-135M-Instruct.Q4_1.gguf': 'bench',
  'npm run bench:score': 'bench',
  'npm run bench:serve': 'bench',
  'npm run bridge': 'bench',
  'npm run bridge -- --only pope,gqa': 'bench',
  'git clone https://github.com/open-compass/VLMEvalKit .cache/VLMEvalKit': 'bench',
  'npm run bridge -- --vlmevalkit .cache/VLMEvalKit': 'bench',
  'npm run bench:memory': 'bench',
  'npm run bench:torch': 'bench',
  'python bench/pytorch/gpu.py /tmp/gpu 7b': 'bench',
  'npm run bench:formats': 'bench',
  'npm run bench:hosts': 'bench',
  'npm run bench:orchestration': 'bench',
  'dataengine model assemble --llama vicuna-7b --blip2 blip2-flan-t5-xxl --projection prerained_minigpt4_7b.pth --output data/minigpt4-7b':
    'test/model/families/minigpt4/assemble/assemble.test.ts',
  'dataengine model import-lora --ckpt checkpoint_9.pth --output adapters/7b-qma': 'test/cli/merge-command.test.ts',
  'dataengine merge --base data/minigpt4-7b --adapter adapters/7b-qma --output models/7b-qma':
    'test/cli/merge-command.test.ts',
  'dataengine evaluate --benchmark aokvqa --file aokvqa_v1p0_val.json --images COCO2017/val2017 --model models/7b-qma':
    'test/cli/merge-command.test.ts',
  'python test/fixtures/check-adapters.py /tmp/adapters': 'test/model/parity/adapters.test.ts',
  'echo "k1:$(openssl rand -base64 32)"': 'test/cli/codec-server.test.ts',
  'dataengine codec-server': 'test/cli/codec-server.test.ts',
  'npx dataengine temporal workflow start --type dataEngine --task-queue data-engine --workflow-id my-run --input \'{"config":"configs/demo.yaml","run":"my-run"}\' --codec-endpoint http://127.0.0.1:8234':
    'test/security/codec-commands.test.ts',
  'npx dataengine temporal workflow start --type dataEngineEndpointEvaluation --task-queue data-engine --workflow-id my-scores --input \'{"benchmark":"mmbench","file":"data/mmbench_dev_20230712.tsv","endpoint":"http://127.0.0.1:8000/v1","modelName":"my-model"}\'':
    'test/security/codec-commands.test.ts',
  'npx dataengine temporal workflow query --workflow-id my-run --type rounds --codec-endpoint http://127.0.0.1:8234':
    'test/security/codec-commands.test.ts',
  'npx dataengine temporal workflow update execute --workflow-id tuesday --name pause --input \'{"reason":"the GPU is needed"}\' --codec-endpoint http://127.0.0.1:8234':
    'test/security/codec-commands.test.ts',
  'npx dataengine temporal workflow show --workflow-id my-run --output json --codec-endpoint http://127.0.0.1:8234':
    'test/security/codec-commands.test.ts',
  'npx dataengine temporal schedule create --schedule-id nightly --cron \'0 2 * * *\' --overlap-policy Skip --catchup-window 1h --type dataEngine --task-queue data-engine --workflow-id nightly --input \'{"config":"configs/demo.yaml"}\' --codec-endpoint http://127.0.0.1:8234':
    'test/security/codec-commands.test.ts',
};
