package relaywatch.support;

import java.io.IOException;
import java.util.List;
import org.apache.lucene.util.Version;
import org.elasticsearch.Build;
import org.elasticsearch.action.admin.cluster.state.ClusterStateRequest;
import org.elasticsearch.action.admin.cluster.state.ClusterStateResponse;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.rest.RestUtils;
import org.elasticsearch.rest.action.RestBuilderListener;
import org.elasticsearch.xcontent.XContentBuilder;

/**
 * GET / and HEAD /: name and version of the server. Made from the state of the cluster, so that it needs
 * the privilege "monitor" as the real page does, and answers 401 and 403 as that does.
 */
final class RootPage extends BaseRestHandler {
    @Override
    public String getName() {
        return "relaywatch_root_page";
    }

    @Override
    public List<Route> routes() {
        return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/"));
    }

    @Override
    protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
        var state = new ClusterStateRequest(RestUtils.getMasterNodeTimeout(request)).clear().metadata(true).nodes(true);
        return channel -> client.admin().cluster().state(state, new RestBuilderListener<>(channel) {
            @Override
            public RestResponse buildResponse(ClusterStateResponse response, XContentBuilder page) throws IOException {
                writePage(response, client.getLocalNodeId(), page);
                return new RestResponse(RestStatus.OK, page);
            }
        });
    }

    private static void writePage(ClusterStateResponse response, String localNode, XContentBuilder page)
        throws IOException {
        Build build = Build.current();
        page.startObject();
        page.field("name", response.getState().nodes().get(localNode).getName());
        page.field("cluster_name", response.getClusterName().value());
        page.field("cluster_uuid", response.getState().metadata().clusterUUID());
        page.startObject("version");
        page.field("number", build.qualifiedVersion());
        page.field("build_flavor", build.flavor());
        page.field("build_type", build.type().displayName());
        page.field("build_hash", build.hash());
        page.field("build_date", build.date());
        page.field("build_snapshot", build.isSnapshot());
        page.field("lucene_version", Version.LATEST.toString());
        page.field("minimum_wire_compatibility_version", build.minWireCompatVersion());
        page.field("minimum_index_compatibility_version", build.minIndexCompatVersion());
        page.endObject();
        page.field("tagline", "You Know, for Search");
        page.endObject();
    }
}
