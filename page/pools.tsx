/** Room on the backends, in GiB: used, and promised to volumes that do not use it yet. */
import { useAnswer } from './answer.ts';

interface Pool {
  readonly name: string;
  readonly capabilities: {
    readonly total_capacity_gb: number | string;
    readonly free_capacity_gb: number | string;
    readonly provisioned_capacity_gb?: number;
  };
}

export function Pools() {
  const { body } = useAnswer<{ readonly pools: readonly Pool[] }>('v3/scheduler-stats/get_pools?detail=true');
  return (
    <section>
      <h2>Pools</h2>
      {body?.pools.length === 0 && <p class="hint">No backend is up.</p>}
      <ul class="plain">
        {body?.pools.map((pool) => (
          <PoolShown key={pool.name} pool={pool} />
        ))}
      </ul>
    </section>
  );
}

function PoolShown({ pool: { name, capabilities } }: { readonly pool: Pool }) {
  const { total_capacity_gb: total, free_capacity_gb: free, provisioned_capacity_gb: promised = 0 } = capabilities;
  if (typeof total !== 'number' || typeof free !== 'number' || total <= 0) return <li>{name}</li>;
  const text = `${percent((total - free) / total)} used, ${percent(promised / total)} promised, of ${Math.round(total)} GiB`;
  return (
    <li>
      <div>{name}</div>
      <meter aria-label={`Used of ${name}`} min={0} max={total} high={total * 0.9} optimum={0} value={total - free} />
      <span class="hint">{text}</span>
    </li>
  );
}

const percent = (part: number): string => `${Math.round(part * 100)} %`;
