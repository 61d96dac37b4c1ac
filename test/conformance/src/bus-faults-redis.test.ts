import { describeFaultSequences } from "./bus-faults/describe-faults.ts";
import { startRedisUnderTest } from "./bus-faults/redis-under-test.ts";

describeFaultSequences("Redis", startRedisUnderTest);
