import { describeFaultSequences } from "./bus-faults/describe-faults.ts";
import { startNatsUnderTest } from "./bus-faults/nats-under-test.ts";

describeFaultSequences("NATS JetStream", startNatsUnderTest);
