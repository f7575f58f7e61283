/** What a prune is told. */
import type { Retention } from '../../config/retention-schema.ts';
import type { SeenOwner } from '../owner/seen-owner.ts';

export interface PruneOptions {
  /** Only says what would be removed. */
  dryRun?: boolean;
  /** Instead of what the run's own config says. */
  retention?: Retention | undefined;
  /** Who had the run when somebody beside its owner began to prune it. Absent: its owner prunes. */
  beside?: SeenOwner | undefined;
  now?: Date;
}

/** How a prune goes on from one removal to the next. */
export interface GuardedPrune extends PruneOptions {
  /** Whether the run still has the owner that was seen. @throws NotOwner where its own owner prunes, and has lost it */
  goesOn: () => Promise<boolean>;
}
