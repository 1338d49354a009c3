// `node scripts/contract.mjs`, a part of `npm run check`: is `__test__/contract.md` sound, and does each test that it
// names exist? It runs no test; that they ran and passed is what a whole `npm test` tells.

import { contractFaults } from "./steps/contract.mjs";
import { runScript } from "./steps/step.mjs";

await runScript(async () => {
  const { behaviours, faults } = await contractFaults();
  for (const fault of faults) console.log(fault);
  if (faults.length > 0) process.exitCode = 1;
  console.log(`${behaviours} behaviours, ${faults.length} faults`);
});
