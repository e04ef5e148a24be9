import type { Log } from '../base/log.ts';
import { damagedObjectOf } from '../cloudsnap/damaged-object.ts';
import type { DamageRegister } from '../cloudsnap/damage-register.ts';
import { WatchedSource } from '../restore/watched-source.ts';
import type { Recipes } from './domain.ts';

/** The recipes, so that damage which a restore meets is remembered: the next backup repairs it. */
export function watchedRecipes(recipes: Recipes, damage: DamageRegister, log: Log): Recipes {
  return {
    ...recipes,
    async openChainSource(repository, entry, signal) {
      const remember = (error: unknown) => {
        const found = damagedObjectOf(error, repository.id);
        if (!found) return;
        try {
          damage.note(found);
        } catch (unnoted) {
          // The reader hears of the damage in any case.
          log.error('restore.damage-not-noted', { object: found.object, error: unnoted });
        }
      };
      try {
        const source = await recipes.openChainSource(repository, entry, signal);
        return new WatchedSource(source, remember);
      } catch (error) {
        remember(error);
        throw error;
      }
    },
  };
}
