/** The keeper: what every backplane promises, with several servers of one process over one data directory. */
import { backplaneConformance } from "../conformance/backplane.ts";
import { keeperCluster } from "./keeper-support.ts";

backplaneConformance("keeper", keeperCluster);
