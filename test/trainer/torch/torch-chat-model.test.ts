import { vi } from 'vitest';
import { describeChatModel } from './torch-chat-model.ts';
import { TORCH_TIMEOUTS } from './torch-jobs.ts';

vi.setConfig(TORCH_TIMEOUTS);

describeChatModel('qwen2_5_vl');
